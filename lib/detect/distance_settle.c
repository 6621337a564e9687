/* The reference of a distance is full: its order, and the threshold by dealing it out. */
#include <math.h>
#include <string.h>

#include "lib/calibrate/permutation.h"
#include "lib/detect/distance.h"

#define ABSURD 1e9     /* times what is usual */
#define ABSURD_PART 10 /* at most one in so many is */

static uint32_t *event_of(struct distance *self)
{
    return (uint32_t *)(void *)(self->values + self->reference + self->window);
}

static uint32_t *order_of(struct distance *self)
{
    return event_of(self) + self->reference;
}

static uint8_t *flags_of(struct distance *self)
{
    return (uint8_t *)(order_of(self) + self->reference);
}

/* The distance of two parts of the reference. */
static double distance_of_parts(void *argument, const uint8_t *second)
{
    struct distance *self = argument;
    struct pooled pooled = {.first = self->values + self->from,
                            .first_count = self->to - self->from,
                            .event = event_of(self) + self->from,
                            .part = second,
                            .rounding = self->rounding};
    return distance_measure(self, &pooled);
}

static double distance_of_dealt_cells(void *argument, const uint8_t *second)
{
    struct distance *self = argument;
    struct cells *cells = self->cells;
    memset(cells->second, 0, sizeof(cells->second));
    for (uint32_t event = 0; event < self->reference; event++)
        for (uint32_t i = 0; second[event] && i < CELLS_MAX; i++)
            cells->second[i] += cells->row[event][i];
    for (uint32_t i = 0; i < CELLS_MAX; i++)
        cells->first[i] = fmax(0, cells->reference[i] - cells->second[i]);
    return distance_of_cells(self, cells->first, cells->second);
}

static double autocorrelation(const struct distance *self)
{
    double along = 0, squares = 0, before = 0;
    for (uint32_t i = 0; i < self->reference; i++) {
        double apart = self->values[i] - self->mean[0];
        along += apart * before;
        squares += apart * apart;
        before = apart;
    }
    return squares > 0 ? along / squares : 0;
}

/* The same of events that are distributions: summed over the cells' shares. */
static double autocorrelation_of_cells(const struct distance *self)
{
    double along = 0, squares = 0;
    for (uint32_t cell = 0; cell < CELLS_MAX; cell++) {
        double mean = 0, before = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (uint32_t event = 0; event < self->reference; event++) {
                const float *row = self->cells->row[event];
                double total = 0;
                for (uint32_t i = 0; i < CELLS_MAX; i++)
                    total += row[i];
                double share = total > 0 ? row[cell] / total : 0;
                if (pass == 0) {
                    mean += share / self->reference;
                    continue;
                }
                along += (share - mean) * before;
                squares += (share - mean) * (share - mean);
                before = share - mean;
            }
        }
    }
    return squares > 0 ? along / squares : 0;
}

/* Heap sort of values, and of the events they came from when `event` is given: in place, and never slow. */
static void sift(double *values, uint32_t *event, uint32_t root, uint32_t count)
{
    for (;;) {
        uint32_t child = 2 * root + 1;
        if (child >= count)
            return;
        if (child + 1 < count && values[child + 1] > values[child])
            child++;
        if (values[root] >= values[child])
            return;
        double value = values[root];
        values[root] = values[child];
        values[child] = value;
        if (event) {
            uint32_t moved = event[root];
            event[root] = event[child];
            event[child] = moved;
        }
        root = child;
    }
}

void distance_sort(double *values, uint32_t *event, uint32_t count)
{
    for (uint32_t root = count / 2; root-- > 0;)
        sift(values, event, root, count);
    while (count > 1) {
        count--;
        double value = values[0];
        values[0] = values[count];
        values[count] = value;
        if (event) {
            uint32_t moved = event[0];
            event[0] = event[count];
            event[count] = moved;
        }
        sift(values, event, 0, count);
    }
}

/* Leaves out values that would make a distance of means blind for good. */
static void trim(struct distance *self)
{
    uint32_t n = self->reference, most = n / ABSURD_PART;
    double median = self->values[n / 2];
    double usual = fmax(fmax(1, fabs(median)), self->values[3 * (n / 4)] - self->values[n / 4]);
    self->rounding = DETECT_ROUNDING * fmax(1, fabs(median));
    for (self->from = 0; self->from < most && median - self->values[self->from] > ABSURD * usual;)
        self->from++;
    for (self->to = n; n - self->to < most && self->values[self->to - 1] - median > ABSURD * usual;)
        self->to--;
}

static struct permutation permutation_of(struct distance *self, permutation_distance_fn *distance)
{
    return (struct permutation){.events = self->reference,
                                .second = self->window < self->reference / 2 ? self->window : self->reference / 2,
                                .block = permutation_block(self->correlation, self->reference),
                                .distance = distance,
                                .argument = self};
}

void distance_limit(struct distance *self)
{
    double reference = self->reference, window = self->window;
    const struct permutation permutation = permutation_of(self, NULL);
    double threshold = permutation_threshold(self->deals, self->alpha, &self->approximate);
    double dealt = 1.0 / permutation.second + 1.0 / (self->reference - permutation.second);
    double factor = (1 / reference + 1 / window) / dealt;
    double widening = permutation_widening(self->correlation, permutation.block, self->reference, self->alpha);
    switch (self->kind->scale) {
    case DISTANCE_SQUARE:
        self->threshold = threshold * factor * widening;
        break;
    case DISTANCE_ROOT:
        self->threshold = threshold * sqrt(factor * widening);
        break;
    case DISTANCE_NONE:
        self->threshold = threshold * widening;
        break;
    }
    self->threshold = fmax(self->threshold, self->kind->least);
}

void distance_settle(struct distance *self)
{
    const bool values = self->input == INPUT_VALUES, calibrates = isnan(self->given);
    if (calibrates)
        self->correlation = values ? autocorrelation(self) : autocorrelation_of_cells(self);
    if (values) {
        for (uint32_t i = 0; i < self->reference; i++)
            event_of(self)[i] = i;
        distance_sort(self->values, event_of(self), self->reference);
        trim(self);
    }
    if (calibrates) {
        const struct permutation permutation = permutation_of(self, values ? distance_of_parts : distance_of_dealt_cells);
        permutation_deal(&permutation, self->deals, flags_of(self), order_of(self));
        distance_limit(self);
    }
    self->dealt = calibrates;
    self->ready = true;
}
