/* monitor_batch.h - events that wait, since nothing can come of them but what is known beforehand.
 *
 * What an event touches of a model's memory has mostly left the cache since the one before: some twenty lines of
 * windows, and four to six a rule. So a monitor asks in advance between which bounds values are of no consequence: no
 * budget is broken (window_quiet()) and no rule has a word to say (detect_quiet()), whichever of the next BATCH_EVENTS
 * events it is. As long as events keep to them they are only written down, side by side; then windows and rules take
 * what waits together. An event that may be of consequence, one that is not like those before, and whoever wants to
 * look, has all of it taken first. So every decision is made at the event that it would be made at, to the last bit.
 *
 * Cost of an event that waits: five instructions a metric, thirty more for each rule whose bounds hang on the
 * value before. To ask: about 100 instructions a rule or budget, once in BATCH_EVENTS events; where that is in vain again and
 * again it is done ever more rarely.
 *
 * Events that come together need not be written down: monitor_add_many() asks for as many as there are, and has them
 * taken from where they stand.
 *
 * Threads, memory, failure: as monitor.h says. Where there is no memory for it, events do not wait.
 */
#ifndef DRIFT_LIB_MONITOR_MONITOR_BATCH_H
#define DRIFT_LIB_MONITOR_MONITOR_BATCH_H

#include <stdalign.h>

#include "lib/lines.h"
#include "lib/monitor/metric_table.h"
#include "lib/monitor/monitor.h"
#include "lib/wire/metric_message.h"

#define BATCH_EVENTS 8 /* that wait at most: the more, the closer the bounds */

/* Floats, so that those of a model stand in few lines: what they allow is within what was found. */
struct batch_bounds {
    float low, high;
};

/* A rule's bounds for what a metric's value, in logarithms or not, has beyond phi times the one before it. Logarithms are
 * near ones here, and their bounds as much closer. */
struct batch_link {
    struct batch_bounds bounds;
    double phi, previous;
    uint8_t metric; /* of the event */
    bool logs, errors;
};

/* Of bounds and links that stand here: of five metrics and a link, or of nine metrics. */
#define BATCH_NEAR_BYTES (5 * sizeof(struct batch_bounds) + sizeof(struct batch_link))

/* All zero: nothing waits, and nothing may. */
struct batch {
    uint64_t shape;   /* of the events that may wait */
    int64_t until_ns; /* none from then on */
    double *room;     /* the rows: when an event was measured, and its values. Before them bounds and links, if need be */
    uint8_t waiting, most; /* events; and how many may */
    uint8_t metrics, links;
    uint8_t lines;            /* of bounds and links, before the rows; 0: they are `near` */
    uint8_t row_numbers;      /* doubles of a row */
    bool singles;             /* its values are floats, as windows keep them: no rule asks for more */
    bool healthy;             /* each of the events is a healthy evaluation */
    bool eager;               /* there are rules that take them at once all the same */
    uint8_t in_vain, unasked; /* times that it was asked in vain, in a row; events before it is asked again */
    uint16_t room_lines;
    alignas(double) unsigned char near[BATCH_NEAR_BYTES]; /* bounds, one a metric; links behind them */
};

/* Writes an event down; false: it does not keep to the bounds. */
bool batch_write(struct batch *self, const struct metric_event *event, int64_t now_ns, double at_s);

/* Whether it is too soon to ask again, where nothing waits; counts the event. */
static inline bool batch_tired(struct batch *self)
{
    if (self->unasked == 0)
        return false;
    self->unasked--;
    return true;
}

/* Asks again, where nothing waits: whether the next events of the shape of this one may. */
bool batch_ask(struct monitor *monitor, const struct metric_event *event, int64_t now_ns);

/* What was found when it was asked. */
struct asked_bounds {
    double low, high;
};

struct asking {
    uint32_t metrics, links, most;
    int64_t until_ns;
    bool healthy, eager, singles;
    struct asked_bounds bounds[METRIC_TABLE_MAX];
    struct batch_link link[MONITOR_RULES_MAX];
};

/* Whether the next events of the shape of this one, up to `most`, may be taken together, as far as they keep to what is
 * found. Nothing waits. */
bool batch_find(struct monitor *monitor, const struct metric_event *event, int64_t now_ns, uint32_t most,
                struct asking *out);

/* Whether the next value keeps to a link; if not, the link is good for nothing any more. */
bool batch_link_keeps(struct batch_link *link, double value);

/* Has windows and rules take events that keep to what was found; of `metrics` metrics each. */
void batch_take(struct monitor *monitor, uint32_t metrics, bool healthy, const struct metric_columns *events);

/* Has windows and rules take what waits, and lets nothing wait before batch_ask(). */
void monitor_settle(struct monitor *monitor);

#define BATCH_LINE_NUMBERS 8 /* of a line of the cache */

/* Where an event is written down, or will be. */
static inline double *batch_row(const struct batch *self, uint32_t event)
{
    return self->room + (size_t)BATCH_LINE_NUMBERS * self->lines + (size_t)event * self->row_numbers;
}

/* Asks the memory for what the next event will touch, if it may wait; and for all that waits. */
static inline void batch_prefetch_next(const struct batch *self)
{
    const double *row = batch_row(self, self->waiting), *end = row + self->row_numbers;
    for (uint32_t line = 0; line < self->lines; line++)
        lines_ask(self->room + BATCH_LINE_NUMBERS * line);
    for (; row < end; row += BATCH_LINE_NUMBERS)
        lines_ask(row);
    lines_ask(end - 1);
}
void batch_prefetch_all(const struct batch *self);

/* Bytes that it has at most: these, so many for each metric, and a link for each rule. A metric has bounds and a number
 * in each row; all rows, and what stands before them, are whole lines. */
#define BATCH_LEAST_BYTES (BATCH_EVENTS * sizeof(double) + 2 * 64)
#define BATCH_METRIC_BYTES (sizeof(struct batch_bounds) + BATCH_EVENTS * sizeof(double))

#endif
