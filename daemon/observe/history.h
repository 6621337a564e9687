/* history.h - how models were doing in the last two hours, for the charts of the status page.
 *
 * The daemon's own windows know values, not times, and begin anew with each episode. So the HTTP station looks every ten
 * seconds at the models that a person may want to see the past of: those that are worst, those that the configuration calls by
 * their name, and those that are being looked at. Whoever is not among them has no past here.
 *
 * Threads: one, that of the HTTP station. Memory: bounded: HISTORY_MODELS_MAX models, 3 kB a KPI. Failure: without memory a
 * model has no past.
 */
#ifndef DRIFTD_OBSERVE_HISTORY_H
#define DRIFTD_OBSERVE_HISTORY_H

#include <jansson.h>
#include <stdint.h>

#define HISTORY_EVERY_NS INT64_C(10000000000)
#define HISTORY_SAMPLES 720
#define HISTORY_MODELS_MAX 256
#define HISTORY_KPIS_MAX 8

struct history;

int history_new(struct history **self_p);

/* Takes a model as the control socket shows it; at most one sample in HISTORY_EVERY_NS of each. */
void history_add(struct history *self, const json_t *model, int64_t now_ns, double wall_s);

/* {"ok", "model", "every_s", "kpis": [name], "samples": [[seconds since the epoch, state, value of each KPI]]} as text; NULL:
 * nothing is known of it, or no memory. */
char *history_text(const struct history *self, const char *model);

void history_destroy(struct history **self_p);

#endif
