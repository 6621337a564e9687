/* progress.h - one line on stderr that says how far long work has come, for whoever watches.
 *
 * Threads: one. Memory: none. Failure: none.
 */
#ifndef DRIFT_CLI_PROGRESS_H
#define DRIFT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int64_t shown_ns;
};

/* Whether the line is to be written now: somebody watches, and a fifth of a second is over. What stood in it is gone
 * then. */
bool progress_due(struct progress *self);

/* Takes the line away. */
void progress_end(void);

#endif
