/* history.h - what retraining has brought so far, strategy by strategy, and what may be expected of the next attempt.
 *
 * Each attempt that ended counts with its recovery: the part of the way from the KPI as it was to its budget that the
 * retraining closed, 0 for one that failed. A tally keeps one strategy in one family (project/name); the fleet's sums are
 * kept beside the tallies, so that nothing is ever added up anew.
 *
 * Threads: pure functions on values. Memory: plain values. Failure: none; a recovery is brought into 0..1, a cost that is
 * not a number above 0 is left out.
 */
#ifndef DRIFT_LIB_RETRAIN_HISTORY_H
#define DRIFT_LIB_RETRAIN_HISTORY_H

/* One strategy in one family. All 0: never tried. */
struct history_tally {
    double attempts;
    double recovered; /* the recoveries, summed up */
    double costs;     /* attempts whose cost was told */
    double gpu_hours; /* of those, summed up */
};

/* One strategy in all families: sums over their tallies. */
struct history_fleet {
    double families, attempts, attempts_squared, recovered;
    double recovered_squared; /* each divided by its attempts */
    double cost_families;     /* those with a cost; attempts per GPU-hour of each, and squared: */
    double per_hour, per_hour_squared;
};

struct history_row {
    struct history_tally here;
    struct history_fleet fleet;
};

/* The recovery of a retraining that brought a KPI from `observed`, beyond its `limit`, to `shown`. NAN: one of them is
 * not known. */
double history_recovery(double observed, double limit, double shown);

/* An attempt has ended; gpu_hours NAN: not told. */
void history_count(struct history_row *row, double recovery, double gpu_hours);

/* An attempt that was counted with `counted` has turned out to be worth `recovery`. */
void history_correct(struct history_row *row, double counted, double recovery);

/* What the next attempt may bring. */
struct history_outlook {
    double recovery, recovery_sd; /* expected, and how uncertain that expectation is */
    double gpu_hours;             /* expected */
    double per_hour, per_hour_sd; /* 1 / gpu_hours, and how uncertain */
};

/* A Beta posterior of the family's attempts, whose prior is estimated from the fleet's: its mean, and how alike families
 * are, by the moments of the beta-binomial (Kleinman, J. Am. Stat. Assoc. 68, 1973), held near a third
 * while the fleet has little to say. The cost is the mean of what was told in the family, else in the fleet, else
 * `configured`. */
struct history_outlook history_expect(const struct history_row *row, double configured);

#endif
