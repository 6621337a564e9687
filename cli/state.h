/* state.h - how states of models and of requests are ordered and coloured.
 *
 * Threads: pure functions. Memory: static. Failure: a state that is not known is plain, and stands last.
 */
#ifndef DRIFT_CLI_STATE_H
#define DRIFT_CLI_STATE_H

#include "cli/terminal.h"
#include "lib/text.h"

/* What needs somebody first; both end with NULL. */
extern const char *const model_states[];
extern const char *const request_states[]; /* as the daemon writes them: PENDING */

enum colour state_colour(struct text state);
bool state_known(struct text state);

/* Where a model's state stands among those that need somebody, from 0. */
unsigned state_rank(struct text state);

#endif
