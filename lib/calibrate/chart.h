/* chart.h - how often a control chart cries wolf, how soon it sees a shift, and which limit keeps a promise.
 *
 * A chart watches values that are independent and normal, in units of their standard deviation around their reference:
 * whoever makes real metrics fit that (logarithm, prewhitening, winsorising) does it before. Run lengths are mean
 * numbers of values up to and with the alarm, from a fresh start (zero state), by the integral equation (Page 1954;
 * Crowder 1987 for EWMA), discretised at Gauss-Legendre nodes (Nystrom).
 *
 * Threads: pure functions. Memory: each call takes what it needs and gives it back. Failure: -EINVAL for a chart that
 * makes no sense, -ENOMEM; out-parameters are untouched then. Deterministic: no random number anywhere.
 */
#ifndef DRIFT_LIB_CALIBRATE_CHART_H
#define DRIFT_LIB_CALIBRATE_CHART_H

#include <stdbool.h>
#include <stdint.h>

#define CHART_LIMIT_MAX 100.0     /* in the units of the limit */
#define CHART_RUN_LENGTH_MAX 1e12 /* the longest promise that is calculated */

enum chart_kind { CHART_CUSUM, CHART_EWMA, CHART_SHEWHART };

struct chart {
    enum chart_kind kind;
    bool two_sided;    /* else one side: `shift` counts towards it */
    double slack;      /* CUSUM: k, standard deviations */
    double lambda;     /* EWMA: weight of the newest value, (0, 1] */
    double head_start; /* CUSUM: the sums start at this fraction of the limit, [0, 1) */
    double limit;      /* CUSUM: h; EWMA: L, in standard deviations of the settled average; Shewhart: L */
};

/* Mean run length when values have mean `shift` and standard deviation `scale`, in the chart's units; in control: 0, 1.
 * Montgomery, Introduction to Statistical Quality Control, chapter 9; two sides of a CUSUM with a head start joined
 * after Lucas and Crosier 1982. At most 1e300. */
int chart_run_length(const struct chart *chart, double shift, double scale, double *out);

/* The limit (chart->limit is not read) whose run length in control is `run_length`, 2 to CHART_RUN_LENGTH_MAX. Where
 * even the smallest limit alarms less often, that one. -ERANGE: CHART_LIMIT_MAX is not enough. */
int chart_limit(const struct chart *chart, double run_length, double *out);

/* The same when mean and standard deviation are estimates: the mean from `mean_values` values, the deviation with
 * `scale_freedom` degrees of freedom. With that limit the expected rate of alarms, over all references that chance can
 * give, is 1 / run_length: E[1 / ARL(reference)] = 1 / run_length. To within one percent. `scale_freedom` >= 10. */
int chart_limit_estimated(const struct chart *chart, double run_length, double mean_values, double scale_freedom,
                          double *out);

/* E[ARL(reference)^-1]^-1 of the chart as it is, with the same estimates. */
int chart_run_length_estimated(const struct chart *chart, double mean_values, double scale_freedom, double *out);

/* Siegmund's closed form for one side of a CUSUM (Sequential Analysis, 1985): the mean time to find a shift of `shift`,
 * or with 0 to a false alarm. Good to a few percent, and quick: for choosing between charts. */
double chart_cusum_delay(double slack, double limit, double shift);

/* Where single values may be cut off, at +-*out, so that the run length in control changes by the fraction `change`
 * (0.01: one percent) and no more. Shewhart charts live on single values: INFINITY. */
int chart_winsor(const struct chart *chart, double change, double *out);

#endif
