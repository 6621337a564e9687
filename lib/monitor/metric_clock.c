#include "lib/monitor/metric_clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static uint32_t first_of(uint64_t rows)
{
    return (uint32_t)__builtin_ctzll(rows);
}

static uint32_t count_of(uint64_t rows)
{
    uint32_t count = 0;
    for (; rows; rows &= rows - 1)
        count++;
    return count;
}

const struct window *metric_clock_of(const struct metric_table *self, uint32_t row)
{
    if (!(self->timed >> row & 1))
        return NULL;
    return &self->slots[self->clocks >> row & 1 ? row : first_of(self->together)].window;
}

/* Whether a row of which no values have come is as far as those that share times. */
static bool may_join(const struct metric_table *self)
{
    return self->together && self->slots[first_of(self->together)].window.total == 0;
}

uint32_t metric_clocks_of(const struct metric_table *self, uint32_t timed)
{
    if (timed == 0 || may_join(self))
        return 0;
    return self->together ? timed : 1;
}

void metric_time(struct metric_table *self, uint32_t row)
{
    const uint64_t bit = metric_bit(row);
    self->timed |= bit;
    if (may_join(self)) {
        self->together |= bit;
        return;
    }
    self->clocks |= bit;
    if (self->together == 0)
        self->together = bit;
}

/* --- the ring --- */

void metric_point(const struct metric_table *self, uint32_t row)
{
    self->slots[row].window.values = self->ring + self->rows[row].column;
    self->slots[row].window.stride = self->stride;
}

/* A column, from the values or the times of a window. */
static void copy_column(const float *from, const struct window *window, float *ring, uint32_t stride)
{
    for (uint32_t place = 0, held = window_held(window); place < held; place++)
        ring[(size_t)place * stride] = from[(size_t)place * window->stride];
}

int metric_lay_out(struct metric_table *self, uint32_t stride, uint32_t values, uint64_t clocks)
{
    float *ring = lines_new((size_t)values * stride * sizeof *ring);
    uint32_t column = 0;
    if (!ring)
        return -ENOMEM;
    for (uint32_t row = 0; row < self->count; row++) {
        const struct window *window = &self->slots[row].window, *clock = metric_clock_of(self, row);
        self->rows[row].column = (uint8_t)column;
        copy_column(window->values, window, ring + column++, stride);
        if (clocks >> row & 1)
            copy_column(metric_gap(clock, 0), clock, ring + column++, stride);
    }
    lines_free(self->ring);
    self->ring = ring;
    self->stride = stride;
    self->columns = column;
    self->clocks = clocks;
    for (uint32_t row = 0; row < self->count; row++)
        metric_point(self, row);
    return 0;
}

/* --- together and apart --- */

int metric_table_part(struct metric_table *self, uint64_t rows, uint64_t twice)
{
    if (metric_come_together(self, rows) && (twice & self->together) == 0)
        return 0;
    uint64_t stay = self->together & rows & ~twice;
    if (stay == 0)
        stay = metric_bit(first_of(self->together)); /* alone, with the times that are there */
    const uint64_t clocks = self->clocks | (self->together & ~stay) | metric_bit(first_of(stay));
    const uint32_t columns = self->count + count_of(clocks);
    const int error =
        metric_lay_out(self, columns > self->stride ? columns : self->stride, self->slots->window.capacity, clocks);
    if (error)
        return error;
    self->together = stay;
    self->shape = 0;
    return 0;
}

int metric_clock_own(struct metric_table *self, uint32_t row)
{
    const uint64_t bit = metric_bit(row);
    return self->together & bit && self->together != bit ? metric_table_part(self, self->together & ~bit, 0) : 0;
}

/* NAN is what is not known. */
static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_times(const struct metric_table *self, uint32_t a, uint32_t b)
{
    const struct window *left = metric_clock_of(self, a), *right = metric_clock_of(self, b);
    bool same = left->total == right->total && left->next == right->next &&
                same_number(self->slots[a].newest_s, self->slots[b].newest_s);
    for (uint32_t place = 0, held = window_held(left); same && place < held; place++)
        same = same_number((double)*metric_gap(left, place), (double)*metric_gap(right, place));
    return same;
}

void metric_table_share(struct metric_table *self)
{
    uint64_t together = 0;
    if (self->timed == 0)
        return;
    const uint32_t first = first_of(self->timed);
    for (uint64_t left = self->timed; left; left &= left - 1)
        if (same_times(self, first, first_of(left)))
            together |= metric_bit(first_of(left));
    const uint64_t clocks = (self->timed & ~together) | metric_bit(first);
    if (clocks == self->clocks)
        return;
    if (metric_lay_out(self, self->count + count_of(clocks), self->slots->window.capacity, clocks) != 0)
        return;
    self->together = together;
    self->shape = 0;
}

/* --- times --- */

double metric_table_start_s(const struct metric_table *self, uint32_t row)
{
    const struct window *clock = metric_clock_of(self, row);
    assert(clock);
    double at_s = self->slots[row].newest_s;
    uint32_t place = clock->next;
    for (uint32_t back = 1; back < window_held(clock); back++) {
        place = place ? place - 1 : clock->capacity - 1;
        at_s -= (double)*metric_gap(clock, place);
    }
    return at_s;
}

double metric_table_end_s(const struct metric_table *self, uint32_t row)
{
    return self->slots[row].newest_s;
}

void metric_walk_gaps(const struct window *clock, struct codec *codec)
{
    const uint32_t held = window_held(clock), capacity = clock->capacity;
    uint32_t place = !codec_loads(codec) && held == capacity ? clock->next : 0;
    for (uint32_t i = 0; i < held; i++) {
        codec_f32s(codec, metric_gap(clock, place), 1);
        place = place + 1 == capacity ? 0 : place + 1;
    }
}
