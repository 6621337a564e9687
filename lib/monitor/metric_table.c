#include "lib/monitor/metric_table.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LINE 64 /* bytes */

static const char *name_of(const struct metric_table *self, uint32_t row)
{
    return self->names + self->rows[row].name_at;
}

uint32_t metric_table_find(const struct metric_table *self, struct text name, uint32_t first)
{
    uint32_t row = first < self->count ? first : 0;
    for (uint32_t tried = 0; tried < self->count; tried++) {
        if (self->rows[row].name_len == name.len && memcmp(name_of(self, row), name.at, name.len) == 0)
            return row;
        row = row + 1 == self->count ? 0 : row + 1;
    }
    return METRIC_TABLE_NONE;
}

/* --- rows and columns --- */

static void point(const struct metric_table *self, struct metric_row *row)
{
    row->window.values = self->ring + row->column;
    row->window.stride = self->stride;
    row->gaps = row->timed ? row->window.values + 1 : NULL;
}

static void copy_column(const struct metric_table *self, const struct metric_row *row, uint32_t column, float *ring,
                        uint32_t stride)
{
    for (uint32_t place = 0, held = window_held(&row->window); place < held; place++)
        ring[(size_t)place * stride + column] = self->ring[(size_t)place * self->stride + column];
}

/* Lays the ring out anew, with room for more columns. */
static int widen(struct metric_table *self, uint32_t stride, uint32_t values)
{
    const size_t bytes = ((size_t)values * stride * sizeof(float) + LINE - 1) / LINE * LINE;
    float *ring = aligned_alloc(LINE, bytes);
    if (!ring)
        return -ENOMEM;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct metric_row *row = &self->rows[i];
        copy_column(self, row, row->column, ring, stride);
        if (row->timed)
            copy_column(self, row, row->column + 1, ring, stride);
    }
    free(self->ring);
    self->ring = ring;
    self->stride = stride;
    for (uint32_t i = 0; i < self->count; i++)
        point(self, &self->rows[i]);
    return 0;
}

int metric_table_expect(struct metric_table *self, uint32_t metrics, uint32_t timed, uint32_t values)
{
    const uint32_t columns = self->columns + metrics + timed;
    if (self->count + metrics > self->room) {
        struct metric_row *rows = realloc(self->rows, (self->count + metrics) * sizeof *rows);
        if (!rows)
            return -ENOMEM;
        self->rows = rows;
        self->room = self->count + metrics;
    }
    return columns > self->stride ? widen(self, columns, values) : 0;
}

/* What has grown when the rest fails is used later. */
static int grow(struct metric_table *self, size_t name_bytes, const struct metric_keep *keep)
{
    char *names = realloc(self->names, self->names_bytes + name_bytes);
    if (!names)
        return -ENOMEM;
    self->names = names;
    return metric_table_expect(self, 1, keep->timed, keep->values);
}

int metric_table_put(struct metric_table *self, struct text name, const struct metric_keep *keep)
{
    struct metric_row row = {.newest_s = NAN,
                             .name_at = self->names_bytes,
                             .name_len = (uint32_t)name.len,
                             .column = self->columns,
                             .timed = keep->timed};
    assert(self->count == 0 || self->rows[0].window.capacity == keep->values);
    if (grow(self, name.len + 1, keep) != 0 || window_init(&row.window, keep->values, &keep->use) != 0)
        return -ENOMEM;
    point(self, &row);
    memcpy(self->names + self->names_bytes, name.at, name.len);
    self->names[self->names_bytes + name.len] = '\0';
    self->names_bytes += row.name_len + 1;
    self->columns += 1 + keep->timed;
    self->rows[self->count++] = row;
    self->shape = 0;
    return 0;
}

void metric_table_cut(struct metric_table *self, uint32_t count)
{
    self->shape = 0;
    while (self->count > count) {
        struct metric_row *row = &self->rows[--self->count];
        window_clear(&row->window);
        self->names_bytes = row->name_at;
        self->columns = row->column;
    }
}

int metric_table_reserve_weights(struct metric_table *self, uint32_t row)
{
    self->shape = 0;
    return window_reserve_weights(&self->rows[row].window);
}

void metric_table_prefetch(const struct metric_table *self)
{
    for (size_t at = 0; at < self->count * sizeof *self->rows; at += LINE)
        __builtin_prefetch((const char *)self->rows + at, 1);
}

/* Rows that come together are filled together: their places stand side by side. */
void metric_table_prefetch_places(const struct metric_table *self)
{
    if (self->count == 0)
        return;
    const struct metric_row *row = self->rows, *end = row + self->count;
    const float *place = window_place(&row->window, row->window.next);
    for (uint32_t column = 0; column < self->columns; column += LINE / sizeof *place)
        __builtin_prefetch(place + column, 1);
    for (; row < end; row++) {
        const struct window_more *more = row->window.more;
        if (!more)
            continue;
        __builtin_prefetch(more, 1);
        __builtin_prefetch(&more->order, 1);
    }
}

/* Before the value is added: its place is the window's next one, and the gap's is beside it. */
static inline void add_time(struct metric_row *row, double at_s)
{
    float *gap = window_place(&row->window, row->window.next) + 1;
    *gap = row->window.total ? (float)(at_s - row->newest_s) : 0.0F;
    row->newest_s = at_s;
}

static inline void add_plain(struct metric_row *row, double value, double at_s, double rate)
{
    if (row->gaps)
        add_time(row, at_s);
    window_add_plain(&row->window, window_single(value), rate);
}

/* Which rows an event's metrics belong to; 0: not all of them may be taken as metric_table_take() does. */
static uint64_t rows_of(const struct metric_table *self, const struct metric_event *event)
{
    const struct metric_row *row = self->rows, *end = row + self->count;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < event->metric_count; i++, row++) {
        const struct metric *metric = &event->metrics[i];
        while (row < end && row->key != metric->key)
            row++;
        if (row == end || metric->kind != METRIC_NUMBER || metric->key == 0 || !window_plain(&row->window))
            return 0;
        rows |= UINT64_C(1) << (row - self->rows);
    }
    return rows;
}

static uint64_t first_rows(uint32_t count)
{
    return UINT64_MAX >> (64 - count);
}

bool metric_table_take(struct metric_table *self, const struct metric_event *event, double at_s, uint64_t *carried)
{
    const uint32_t count = event->metric_count;
    struct metric_row *row = self->rows;
    if (count == 0 || self->count == 0)
        return false;
    const double rate = window_rate(&row->window); /* all rows are as long */
    if (event->shape && event->shape == self->shape) {
        for (const struct metric *metric = event->metrics; metric < event->metrics + count; metric++, row++)
            add_plain(row, metric->number, at_s, rate);
        *carried = first_rows(count);
        return true;
    }
    const uint64_t rows = rows_of(self, event);
    if (rows == 0)
        return false;
    for (uint64_t left = rows, i = 0; left; left &= left - 1, i++)
        add_plain(&row[__builtin_ctzll(left)], event->metrics[i].number, at_s, rate);
    if (rows == first_rows(count))
        self->shape = event->shape;
    *carried = rows;
    return true;
}

void metric_table_add(struct metric_table *self, uint32_t index, double value, uint64_t weight, double at_s)
{
    struct metric_row *row = &self->rows[index];
    if (row->gaps)
        add_time(row, at_s);
    window_add(&row->window, value, weight);
}

/* The values of a row once more, in the order and at the times that they came. */
static void add_again(const struct metric_table *from, const struct metric_row *old, struct metric_table *to, uint32_t index)
{
    const struct window *window = &old->window;
    const uint32_t held = window_held(window), capacity = window->capacity;
    uint32_t place = held == capacity ? window->next : 0;
    double at_s = held && old->gaps ? metric_table_start_s(from, (uint32_t)(old - from->rows)) : NAN;
    for (uint32_t i = 0; i < held; i++) {
        if (i > 0 && old->gaps)
            at_s += (double)old->gaps[(size_t)place * from->stride];
        metric_table_add(to, index, (double)*window_place(window, place), (uint64_t)window_weight_at(window, place), at_s);
        place = place + 1 == capacity ? 0 : place + 1;
    }
}

int metric_table_copy(const struct metric_table *from, uint32_t index, struct metric_table *to, const struct metric_keep *keep)
{
    const struct metric_row *old = &from->rows[index];
    int error = metric_table_put(to, text_of(name_of(from, index)), keep);
    if (error == 0 && window_weighted(&old->window) && old->window.capacity == keep->values &&
        metric_table_reserve_weights(to, to->count - 1) != 0) {
        metric_table_cut(to, to->count - 1);
        error = -ENOMEM;
    }
    if (error)
        return error;
    struct metric_row *row = &to->rows[to->count - 1];
    row->key = old->key;
    if (old->window.capacity != keep->values)
        return 0;
    add_again(from, old, to, to->count - 1);
    row->newest_s = old->newest_s;
    row->window.total = old->window.total;
    if (old->window.averages && row->window.averages)
        row->window.ewma = old->window.ewma;
    return 0;
}

const char *metric_table_name(const struct metric_table *self, uint32_t row)
{
    assert(row < self->count);
    return name_of(self, row);
}

const struct window *metric_table_window(const struct metric_table *self, uint32_t row)
{
    assert(row < self->count);
    return &self->rows[row].window;
}

double metric_table_start_s(const struct metric_table *self, uint32_t index)
{
    const struct metric_row *row = &self->rows[index];
    assert(row->gaps);
    double at_s = row->newest_s;
    uint32_t gap = row->window.next;
    for (uint32_t back = 1; back < window_held(&row->window); back++) {
        gap = gap ? gap - 1 : row->window.capacity - 1;
        at_s -= (double)row->gaps[(size_t)gap * self->stride];
    }
    return at_s;
}

double metric_table_end_s(const struct metric_table *self, uint32_t row)
{
    return self->rows[row].newest_s;
}

/* The gaps that stand beside the values of a window, the oldest first. The ring is filled from its start when it is
 * loaded, as the window's is. */
static void walk_gaps(struct metric_row *row, struct codec *codec)
{
    const uint32_t held = window_held(&row->window), capacity = row->window.capacity;
    uint32_t place = !codec_loads(codec) && held == capacity ? row->window.next : 0;
    for (uint32_t i = 0; i < held; i++) {
        codec_f32s(codec, row->gaps + (size_t)place * row->window.stride, 1);
        place = place + 1 == capacity ? 0 : place + 1;
    }
}

bool metric_table_walk(struct metric_table *self, uint32_t index, struct codec *codec)
{
    struct metric_row *row = index == METRIC_TABLE_NONE ? NULL : &self->rows[index];
    bool loaded = window_walk(row ? &row->window : NULL, codec);
    bool timed = row && row->gaps;
    double newest_s = row ? row->newest_s : (double)NAN;
    codec_flag(codec, &timed);
    size_t gaps = codec_open(codec);
    if (!codec_loads(codec)) {
        if (row && timed)
            walk_gaps(row, codec);
        codec_close(codec, gaps);
        codec_f64(codec, &newest_s);
        return true;
    }
    loaded = row && loaded && (timed || !row->gaps);
    if (loaded && row->gaps && gaps == window_held(&row->window) * sizeof *row->gaps)
        walk_gaps(row, codec);
    else if (loaded && row->gaps)
        codec->failed = true;
    else
        codec_skip(codec, gaps);
    codec_f64(codec, &newest_s);
    loaded = loaded && !codec->failed;
    if (row && loaded) {
        row->newest_s = newest_s;
    } else if (row) {
        window_reset(&row->window);
    }
    return loaded;
}

void metric_table_clear(struct metric_table *self)
{
    metric_table_cut(self, 0);
    free(self->rows);
    free(self->ring);
    free(self->names);
    *self = (struct metric_table){0};
}
