/* rule_size.h - how large a change is that a chart found by deviations that were cut off.
 *
 * A `cusum` or `ewma` with `robust` adds up residuals that are cut off at a few deviations, so what it can say of a large
 * change is the least that it is. What the metric's window still has of the change says more: the median of it, against
 * the reference's level. Its interval is that of a median of w values, variance pi/2 sigma^2 / w (Kenney and Keeping,
 * Mathematics of Statistics, 1962), widened for their autocorrelation phi by (1 + phi) / (1 - phi), with the reference's
 * own; sigma is the larger of 1.4826 MAD and the reference's deviation.
 *
 * Threads: pure functions. Memory: none. Failure: none; where nothing better is known, *verdict stays as it is.
 *
 * Cost: some ten microseconds, with a trigger alone.
 */
#ifndef DRIFT_LIB_MONITOR_RULE_SIZE_H
#define DRIFT_LIB_MONITOR_RULE_SIZE_H

#include "lib/detect/detect.h"
#include "lib/stats/window.h"

/* Puts size, lower and upper of a drift right where the median lies further out than they can say. `window`: the metric's,
 * with the value that the verdict is about. */
void rule_size_mend(const struct detect *detect, const struct window *window, struct detect_verdict *verdict);

#endif
