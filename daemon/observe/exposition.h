/* exposition.h - the daemon's figures as text for Prometheus: format 0.0.4, or OpenMetrics 1.0.
 *
 * How many series there are is bounded whatever the network sends: only models that the configuration calls by their
 * name get series of their own, only so many nodes do, and what is left out is added up and counted.
 *
 * Threads: pure. Memory: the text is the caller's. Failure: NULL without memory.
 */
#ifndef DRIFTD_OBSERVE_EXPOSITION_H
#define DRIFTD_OBSERVE_EXPOSITION_H

#include <jansson.h>
#include <stdbool.h>

#define EXPOSITION_MODELS_MAX 1000
#define EXPOSITION_NODES_MAX 500

/* `status` and `models` (those with a name of their own) are replies of the control socket. */
char *exposition_text(const json_t *status, const json_t *models, bool open_metrics);

#endif
