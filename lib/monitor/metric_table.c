#include "lib/monitor/metric_clock.h"
#include "lib/lines.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

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

/* --- rows --- */

static int more_rows(struct metric_table *self, uint32_t room)
{
    static_assert(sizeof(struct metric_slot) == LINES_BYTES, "a slot is a cache line");
    struct metric_slot *slots = lines_new(room * (sizeof *self->slots + sizeof *self->rows));
    if (!slots)
        return -ENOMEM;
    struct metric_row *rows = (struct metric_row *)(void *)(slots + room);
    if (self->count) {
        memcpy(slots, self->slots, self->count * sizeof *slots);
        memcpy(rows, self->rows, self->count * sizeof *rows);
    }
    lines_free(self->slots);
    self->slots = slots;
    self->rows = rows;
    self->room = room;
    return 0;
}

int metric_table_expect(struct metric_table *self, uint32_t metrics, uint32_t timed, uint32_t values)
{
    const uint32_t columns = self->columns + metrics + metric_clocks_of(self, timed);
    assert(self->count + metrics <= METRIC_TABLE_MAX);
    if (self->count + metrics > self->room && more_rows(self, self->count + metrics) != 0)
        return -ENOMEM;
    return columns > self->stride ? metric_lay_out(self, columns, values, self->clocks) : 0;
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
    const uint32_t row = self->count;
    assert(name.len <= METRIC_NAME_MAX);
    assert(row == 0 || self->slots[0].window.capacity == keep->values);
    if (grow(self, name.len + 1, keep) != 0 || window_init(&self->slots[row].window, keep->values, &keep->use) != 0)
        return -ENOMEM;
    self->rows[row] = (struct metric_row){
        .name_at = (uint16_t)self->names_bytes, .name_len = (uint8_t)name.len, .column = (uint8_t)self->columns};
    self->slots[row].newest_s = NAN;
    metric_point(self, row);
    memcpy(self->names + self->names_bytes, name.at, name.len);
    self->names[self->names_bytes + name.len] = '\0';
    self->names_bytes += (uint32_t)name.len + 1;
    self->columns += 1 + metric_clocks_of(self, keep->timed);
    if (keep->timed)
        metric_time(self, row);
    self->count++;
    self->shape = 0;
    return 0;
}

void metric_table_cut(struct metric_table *self, uint32_t count)
{
    self->shape = 0;
    while (self->count > count) {
        const uint32_t row = --self->count;
        window_clear(&self->slots[row].window);
        self->timed &= ~metric_bit(row);
        self->clocks &= ~metric_bit(row);
        self->together &= ~metric_bit(row);
        self->names_bytes = self->rows[row].name_at;
        self->columns = self->rows[row].column;
    }
}

int metric_table_reserve_weights(struct metric_table *self, uint32_t row)
{
    self->shape = 0;
    return window_reserve_weights(&self->slots[row].window);
}

void metric_table_prefetch(const struct metric_table *self)
{
    for (const struct metric_slot *slot = self->slots, *end = slot + self->count; slot < end; slot++)
        lines_ask(slot);
}

/* Rows that come together are filled together: their places stand side by side. */
void metric_table_prefetch_places(const struct metric_table *self, uint32_t places)
{
    if (self->count == 0)
        return;
    const struct window *window = &self->slots->window;
    const uint32_t left = window->capacity - window->next;
    const size_t place = self->stride * sizeof(float);
    const char *first = (const char *)window_place(window, window->next),
               *start = (const char *)window_place(window, 0);
    for (size_t at = 0; at < place * (places < left ? places : left); at += LINES_BYTES)
        lines_ask(first + at);
    for (size_t at = 0; places > left && at < place * (places - left < window->next ? places - left : window->next);
         at += LINES_BYTES)
        lines_ask(start + at);
    for (const struct metric_slot *slot = self->slots, *end = slot + self->count; slot < end; slot++) {
        if (!slot->window.more)
            continue;
        lines_ask(slot->window.more);
        lines_ask(&slot->window.more->weights);
    }
}

/* Before the value is added. */
static inline void add_time(struct metric_slot *slot, bool clock, double at_s)
{
    if (clock)
        *metric_gap(&slot->window, slot->window.next) = slot->window.total ? (float)(at_s - slot->newest_s) : 0.0F;
    slot->newest_s = at_s;
}

static inline void add_plain(struct metric_slot *slot, bool timed, bool clock, double value, double at_s, double rate)
{
    if (timed)
        add_time(slot, clock, at_s);
    window_add_plain(&slot->window, window_single(value), rate);
}

/* Which rows an event's metrics belong to; 0: not all of them may be taken as metric_table_take() does. */
static uint64_t rows_of(const struct metric_table *self, const struct metric_event *event)
{
    uint64_t rows = 0;
    for (uint32_t i = 0, row = 0; i < event->metric_count; i++, row++) {
        const struct metric *metric = &event->metrics[i];
        while (row < self->count && self->rows[row].key != metric->key)
            row++;
        if (row == self->count || metric->kind != METRIC_NUMBER || metric->key == 0 ||
            !window_plain(&self->slots[row].window))
            return 0;
        rows |= metric_bit(row);
    }
    return metric_come_together(self, rows) ? rows : 0;
}

static uint64_t first_rows(uint32_t count)
{
    return UINT64_MAX >> (64 - count);
}

bool metric_table_take(struct metric_table *self, const struct metric_event *event, double at_s, uint64_t *carried)
{
    const uint32_t count = event->metric_count;
    if (count == 0 || self->count == 0)
        return false;
    const double rate = window_rate(&self->slots->window); /* all are as long */
    if (event->shape && event->shape == self->shape) {
        const struct metric *metric = event->metrics, *end = metric + count;
        struct metric_slot *slot = self->slots;
        uint64_t timed = self->timed, clocks = self->clocks;
        for (; metric < end; metric++, slot++, timed >>= 1, clocks >>= 1)
            add_plain(slot, timed & 1, clocks & 1, metric->number, at_s, rate);
        *carried = first_rows(count);
        return true;
    }
    const uint64_t rows = rows_of(self, event);
    if (rows == 0)
        return false;
    for (uint64_t left = rows, i = 0; left; left &= left - 1, i++) {
        const uint32_t row = (uint32_t)__builtin_ctzll(left);
        add_plain(&self->slots[row], self->timed >> row & 1, self->clocks >> row & 1, event->metrics[i].number, at_s,
                  rate);
    }
    if (rows == first_rows(count))
        self->shape = event->shape;
    *carried = rows;
    return true;
}

static void add_times(struct metric_slot *slot, const double *at_s, uint32_t count)
{
    const struct window *window = &slot->window;
    double before_s = window->total ? slot->newest_s : *at_s;
    uint32_t place = window->next;
    for (uint32_t i = 0; i < count; i++, at_s++) {
        *metric_gap(window, place) = (float)(*at_s - before_s);
        before_s = *at_s;
        place = place + 1 == window->capacity ? 0 : place + 1;
    }
    slot->newest_s = before_s;
}

/* Values of a row, or of two that stand side by side. */
static void take_columns(struct window *first, struct window *beside, struct window_numbers values, uint32_t apart,
                         uint32_t count, double rate)
{
    for (uint32_t run; count > 0; count -= run) {
        run = first->capacity - first->next < count ? first->capacity - first->next : count;
        run = run < WINDOW_MANY ? run : WINDOW_MANY;
        if (!window_add_many(first, beside, values, apart, run, rate)) {
            const struct window_numbers others = {values.at + apart, values.stride, values.singles};
            window_add_all(first, values, run, rate);
            if (beside)
                window_add_all(beside, others, run, rate);
        }
        values.at += (size_t)run * values.stride;
    }
}

void metric_table_take_all(struct metric_table *self, uint32_t rows, const struct metric_columns *events)
{
    const double rate = window_rate(&self->slots->window);
    struct window_numbers values = events->values;
    for (uint32_t row = 0; row < rows; row++) {
        if (self->clocks >> row & 1)
            add_times(&self->slots[row], events->at_s, events->count);
        else if (self->timed >> row & 1)
            self->slots[row].newest_s = events->at_s[events->count - 1];
    }
    for (uint32_t row = 0, width; row < rows; row += width) {
        struct window *first = &self->slots[row].window,
                      *beside = row + 1 < rows && window_are_beside(first, &self->slots[row + 1].window)
                                    ? &self->slots[row + 1].window
                                    : NULL;
        take_columns(first, beside, values, events->apart, events->count, rate);
        width = beside ? 2 : 1;
        values.at += (size_t)width * events->apart;
    }
}

void metric_table_add(struct metric_table *self, uint32_t row, double value, uint64_t weight, double at_s)
{
    if (self->timed >> row & 1)
        add_time(&self->slots[row], self->clocks >> row & 1, at_s);
    window_add(&self->slots[row].window, value, weight);
}

/* The values of a row once more, in the order and at the times that they came. */
static void add_again(const struct metric_table *from, uint32_t old, struct metric_table *to, uint32_t row)
{
    const struct window *window = &from->slots[old].window, *clock = metric_clock_of(from, old);
    const uint32_t held = window_held(window), capacity = window->capacity;
    uint32_t place = held == capacity ? window->next : 0;
    double at_s = held && clock ? metric_table_start_s(from, old) : NAN;
    for (uint32_t i = 0; i < held; i++) {
        if (i > 0 && clock)
            at_s += (double)*metric_gap(clock, place);
        metric_table_add(to, row, (double)*window_place(window, place), (uint64_t)window_weight_at(window, place),
                         at_s);
        place = place + 1 == capacity ? 0 : place + 1;
    }
}

int metric_table_copy(const struct metric_table *from, uint32_t index, struct metric_table *to,
                      const struct metric_keep *keep)
{
    const struct window *old = &from->slots[index].window;
    const uint32_t row = to->count;
    int error = metric_table_put(to, text_of(name_of(from, index)), keep);
    if (error)
        return error;
    if (old->capacity == keep->values &&
        (metric_clock_own(to, row) != 0 || (window_weighted(old) && metric_table_reserve_weights(to, row) != 0))) {
        metric_table_cut(to, row);
        return -ENOMEM;
    }
    struct window *window = &to->slots[row].window;
    to->rows[row].key = from->rows[index].key;
    if (old->capacity != keep->values)
        return 0;
    add_again(from, index, to, row);
    to->slots[row].newest_s = from->slots[index].newest_s;
    window->total = old->total;
    if (old->averages && window->averages)
        window->ewma = old->ewma;
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
    return &self->slots[row].window;
}

bool metric_table_walk(struct metric_table *self, uint32_t row, struct codec *codec)
{
    const bool here = row != METRIC_TABLE_NONE, keeps = here && (self->timed >> row & 1) != 0;
    const bool own = !keeps || !codec_loads(codec) || metric_clock_own(self, row) == 0;
    struct window *window = here ? &self->slots[row].window : NULL;
    bool loaded = window_walk(window, codec), timed = keeps;
    double newest_s = here ? self->slots[row].newest_s : (double)NAN;
    codec_flag(codec, &timed);
    size_t gaps = codec_open(codec);
    if (!codec_loads(codec)) {
        if (keeps)
            metric_walk_gaps(metric_clock_of(self, row), codec);
        codec_close(codec, gaps);
        codec_f64(codec, &newest_s);
        return true;
    }
    loaded = here && loaded && (timed || !keeps);
    if (!own)
        codec->failed = codec->out_of_memory = true;
    if (loaded && keeps && own && gaps == window_held(window) * sizeof *window->values)
        metric_walk_gaps(window, codec);
    else if (loaded && keeps)
        codec->failed = true;
    else
        codec_skip(codec, gaps);
    codec_f64(codec, &newest_s);
    loaded = loaded && !codec->failed;
    if (here && loaded)
        self->slots[row].newest_s = newest_s;
    else if (here)
        window_reset(window);
    return loaded;
}

void metric_table_clear(struct metric_table *self)
{
    metric_table_cut(self, 0);
    lines_free(self->slots);
    lines_free(self->ring);
    free(self->names);
    *self = (struct metric_table){0};
}
