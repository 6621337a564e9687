/* kpi.h - one budget of one model in a few words.
 *
 * Threads: one. Memory: none is kept. Failure: none; what is missing is left out.
 */
#ifndef DRIFT_CLI_KPI_H
#define DRIFT_CLI_KPI_H

#include <jansson.h>
#include <stdio.h>

/* "accuracy mean 0.52 < 0.8" where it is violated, "latency_ms p95 210 (max 250)" where it is not. Not escaped. */
void kpi_put(FILE *out, const json_t *kpi);

/* "at least 0.8", "0.2 to 0.9". */
void kpi_put_limits(FILE *out, const json_t *kpi);

#endif
