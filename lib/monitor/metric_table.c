#include "lib/monitor/metric_table.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct metric_row {
    struct window *window;
    float *gaps; /* NULL: not timed; seconds from the value before to this one, a ring beside the window's */
    double newest_s;
    uint32_t gaps_next;
    uint32_t name_at, name_len;
};

static const char *name_of(const struct metric_table *self, uint32_t row)
{
    return self->names + self->rows[row].name_at;
}

uint32_t metric_table_find(const struct metric_table *self, struct text name, uint32_t first)
{
    uint32_t row = first < self->count ? first : 0;
    for (uint32_t tried = 0; tried < self->count; tried++) {
        if (self->rows[row].name_len == name.len && memcmp(name_of(self, row), name.at, name.len) == 0) {
            window_prefetch_head(self->rows[row].window);
            return row;
        }
        row = row + 1 == self->count ? 0 : row + 1;
    }
    return METRIC_TABLE_NONE;
}

/* Room for one more row and its name. What has grown when the rest fails is used later. */
static int grow(struct metric_table *self, size_t name_bytes)
{
    char *names = realloc(self->names, self->names_bytes + name_bytes);
    if (!names)
        return -ENOMEM;
    self->names = names;
    if (self->count < self->room)
        return 0;
    uint32_t room = self->room + (self->room < 8 ? 4 : self->room);
    struct metric_row *rows = realloc(self->rows, room * sizeof *rows);
    if (!rows)
        return -ENOMEM;
    self->rows = rows;
    self->room = room;
    return 0;
}

int metric_table_put(struct metric_table *self, struct text name, const struct metric_keep *keep)
{
    struct metric_row row = {.newest_s = NAN, .name_at = self->names_bytes, .name_len = (uint32_t)name.len};
    if (grow(self, name.len + 1) != 0)
        return -ENOMEM;
    int error = window_new_for(&row.window, keep->values, &keep->use);
    assert(error != -EINVAL);
    if (error == 0 && keep->timed) {
        row.gaps = malloc(keep->values * sizeof *row.gaps);
        error = row.gaps ? 0 : -ENOMEM;
    }
    if (error) {
        window_destroy(&row.window);
        return error;
    }
    memcpy(self->names + self->names_bytes, name.at, name.len);
    self->names[self->names_bytes + name.len] = '\0';
    self->names_bytes += row.name_len + 1;
    self->rows[self->count++] = row;
    return 0;
}

void metric_table_cut(struct metric_table *self, uint32_t count)
{
    while (self->count > count) {
        struct metric_row *row = &self->rows[--self->count];
        window_destroy(&row->window);
        free(row->gaps);
        self->names_bytes = row->name_at;
    }
}

int metric_table_reserve_weights(struct metric_table *self, uint32_t row)
{
    return window_reserve_weights(self->rows[row].window);
}

void metric_table_prefetch(const struct metric_table *self, uint32_t row)
{
    const struct metric_row *at = &self->rows[row];
    window_prefetch(at->window);
    if (at->gaps)
        __builtin_prefetch(at->gaps + at->gaps_next, 1);
}

void metric_table_add(struct metric_table *self, uint32_t index, double value, uint64_t weight, double at_s)
{
    struct metric_row *row = &self->rows[index];
    if (row->gaps) {
        row->gaps[row->gaps_next++] = window_count(row->window) ? (float)(at_s - row->newest_s) : 0.0F;
        row->gaps_next = row->gaps_next == window_capacity(row->window) ? 0 : row->gaps_next;
        row->newest_s = at_s;
    }
    window_add(row->window, value, weight);
}

const char *metric_table_name(const struct metric_table *self, uint32_t row)
{
    assert(row < self->count);
    return name_of(self, row);
}

const struct window *metric_table_window(const struct metric_table *self, uint32_t row)
{
    assert(row < self->count);
    return self->rows[row].window;
}

double metric_table_start_s(const struct metric_table *self, uint32_t index)
{
    const struct metric_row *row = &self->rows[index];
    assert(row->gaps);
    double at_s = row->newest_s;
    uint32_t gap = row->gaps_next;
    for (uint32_t back = 1; back < window_count(row->window); back++) {
        gap = gap ? gap - 1 : window_capacity(row->window) - 1;
        at_s -= (double)row->gaps[gap];
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
    const uint32_t count = window_count(row->window), capacity = window_capacity(row->window);
    const uint32_t oldest = !codec_loads(codec) && count == capacity ? row->gaps_next : 0;
    codec_f32s(codec, row->gaps + oldest, count - oldest);
    codec_f32s(codec, row->gaps, oldest);
    if (codec_loads(codec))
        row->gaps_next = count == capacity ? 0 : count;
}

bool metric_table_walk(struct metric_table *self, uint32_t index, struct codec *codec)
{
    struct metric_row *row = index == METRIC_TABLE_NONE ? NULL : &self->rows[index];
    bool loaded = window_walk(row ? row->window : NULL, codec);
    bool timed = row && row->gaps;
    double newest_s = row ? row->newest_s : (double)NAN;
    codec_flag(codec, &timed);
    size_t gaps = codec_open(codec);
    if (!codec_loads(codec)) {
        if (timed)
            walk_gaps(row, codec);
        codec_close(codec, gaps);
        codec_f64(codec, &newest_s);
        return true;
    }
    loaded = loaded && (timed || !row->gaps);
    if (loaded && row->gaps && gaps == window_count(row->window) * sizeof *row->gaps)
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
        window_reset(row->window);
        row->gaps_next = 0;
    }
    return loaded;
}

void metric_table_clear(struct metric_table *self)
{
    metric_table_cut(self, 0);
    free(self->rows);
    free(self->names);
    *self = (struct metric_table){0};
}
