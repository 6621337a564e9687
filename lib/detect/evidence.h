/* evidence.h - how soon the e-detector sees a mean that is beyond its budget.
 *
 * Threads: pure functions. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_DETECT_EVIDENCE_H
#define DRIFT_LIB_DETECT_EVIDENCE_H

#define EVIDENCE_BETS 8
#define EVIDENCE_LARGEST_BET 0.9 /* of 1 / m: a perfect value leaves a tenth of the evidence */

/* Values until the evidence reaches 1 / alpha when values are independent, `mean` and `sd` theirs, both scaled to 0..1
 * with harm upwards, and the budget likewise: the evidence is taken to grow by each bet's mean logarithmic growth. An
 * `sd` of NAN: that of single answers, right or wrong, which is the largest there can be. INFINITY: it does not grow.
 */
double evidence_delay(double budget, double alpha, double mean, double sd);

#endif
