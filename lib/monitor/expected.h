/* expected.h - accuracy without labels, from how sure a model is.
 *
 * Threads: pure functions. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_MONITOR_EXPECTED_H
#define DRIFT_LIB_MONITOR_EXPECTED_H

#include "lib/wire/metric_message.h"

#define EXPECTED_METRIC "expected_accuracy"
#define EXPECTED_SOURCE "confidence" /* a histogram of the confidence in the class that was predicted */

/* The accuracy that a histogram of confidences lets expect: their mean, each taken as the middle of its bin cut to
 * 0..1. A calibrated model that says 0.8 is right in 80 of 100 cases, so that the mean confidence is the expected part
 * of right answers (Guo et al. 2017, eq. 1; as an estimate of accuracy: average confidence in Garg et al. 2022, section
 * 3). It is wrong by as much as the model is miscalibrated, and that is mostly where it matters: a model on data that
 * it never saw tends to be too sure, so that a fall of the true accuracy shows smaller than it is or not at all. A
 * change of the labels' meaning does not show. The bins add up to half of a bin's width. NAN where the histogram counts
 * nothing. */
double expected_accuracy(const struct metric *histogram);

/* Copies the event's metrics to `room` and adds EXPECTED_METRIC; returns false, and nothing is to be used, where the
 * event carries it already, has no EXPECTED_SOURCE or no room for one more. */
bool expected_extend(const struct metric_event *event, struct metric room[METRIC_EVENT_MAX], struct metric_event *out);

#endif
