/* recorder.h - the last values of each metric of one model, for people to look at.
 *
 * For models whose windows are shorter than RECORDER_VALUES: a longer one keeps the same values by itself.
 *
 * Threads: one. Memory: taken when a metric is first seen. Failure: without memory a metric is not recorded.
 */
#ifndef DRIFTD_WORKERS_RECORDER_H
#define DRIFTD_WORKERS_RECORDER_H

#include "lib/codec.h"
#include "lib/monitor/monitor.h"

#define RECORDER_VALUES 32
#define RECORDER_METRICS_MAX 16 /* the first ones that a model showed */

/* In the order of the monitor's metrics. What changes with each event stands together, apart from the values, of which
 * each event touches one of each metric. */
struct recorder_tracks {
    uint8_t count;
    uint8_t next[RECORDER_METRICS_MAX]; /* where the next value goes; plus RECORDER_VALUES once the ring is full */
    float values[][RECORDER_VALUES];    /* rings */
};

/* Most models need none. */
struct recorder {
    struct recorder_tracks *tracks; /* NULL: there are none */
};

/* Takes the numbers of an event that the monitor has taken. */
void recorder_add(struct recorder *self, const struct monitor *monitor, const struct metric_event *event);

/* Copies the newest values of the monitor's metric `index`, oldest first, at most `most`; returns how many. */
uint32_t recorder_recent(const struct recorder *self, uint32_t index, float *out, uint32_t most);

/* Saves the tracks under the monitor's names for them; loads them into an empty recorder, those that the monitor has. For
 * codec.failed see lib/codec.h. */
void recorder_save(const struct recorder *self, const struct monitor *monitor, struct codec *codec);
void recorder_load(struct recorder *self, const struct monitor *monitor, struct codec *codec);

void recorder_clear(struct recorder *self);

#endif
