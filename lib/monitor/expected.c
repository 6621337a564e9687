#include "lib/monitor/expected.h"

#include <math.h>
#include <string.h>

static double unit(double value)
{
    return fmin(fmax(value, 0), 1);
}

double expected_accuracy(const struct metric *histogram)
{
    double sum = 0, count = 0;
    for (uint32_t i = 0; i < histogram->histogram.bins; i++) {
        const double low = histogram->histogram.edges[i], high = histogram->histogram.edges[i + 1];
        const double here = (double)histogram->histogram.counts[i];
        sum += here * (unit(low) / 2 + unit(high) / 2);
        count += here;
    }
    return count > 0 ? sum / count : (double)NAN;
}

bool expected_extend(const struct metric_event *event, struct metric room[METRIC_EVENT_MAX], struct metric_event *out)
{
    double expected = NAN;
    if (event->metric_count >= METRIC_EVENT_MAX)
        return false;
    for (uint32_t i = 0; i < event->metric_count; i++) {
        const struct metric *metric = &event->metrics[i];
        if (text_is(metric->name, EXPECTED_METRIC))
            return false;
        if (metric->kind == METRIC_HISTOGRAM && text_is(metric->name, EXPECTED_SOURCE))
            expected = expected_accuracy(metric);
    }
    if (isnan(expected))
        return false;
    memcpy(room, event->metrics, event->metric_count * sizeof *room);
    room[event->metric_count] =
        (struct metric){.name = text_of(EXPECTED_METRIC), .kind = METRIC_NUMBER, .number = expected};
    *out = *event;
    out->metrics = room;
    out->shape = 0;
    out->metric_count++;
    return true;
}
