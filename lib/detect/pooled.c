#include "lib/detect/pooled.h"

#include <stddef.h>

static bool next_cell(struct pooled *self, struct group *out)
{
    if (self->i >= self->cells)
        return false;
    *out = (struct group){
        .value = self->place[self->i], .first = self->first_cells[self->i], .second = self->second_cells[self->i]};
    self->i++;
    return true;
}

/* One sample, dealt into two parts: the case that is walked a thousand times for each reference. */
static bool next_dealt(struct pooled *self, struct group *out)
{
    uint32_t i = self->i, from = i, second = 0;
    if (i >= self->first_count)
        return false;
    out->value = self->first[i];
    do {
        second += self->part[self->event[i]];
        i++;
    } while (i < self->first_count && self->first[i] - self->first[i - 1] <= self->rounding);
    out->second = second;
    out->first = i - from - second;
    self->i = i;
    return true;
}

/* The next value of two samples and the one it belongs to; only looks. */
static bool peek(const struct pooled *self, double *value, bool *second)
{
    bool has_first = self->i < self->first_count, has_second = self->j < self->second_count;
    if (!has_first && !has_second)
        return false;
    *second = !has_first || (has_second && self->second[self->j] < self->first[self->i]);
    *value = *second ? self->second[self->j] : self->first[self->i];
    return true;
}

static bool next_merged(struct pooled *self, struct group *out)
{
    double value, last;
    bool second;
    if (!peek(self, &value, &second))
        return false;
    *out = (struct group){.value = value};
    last = value;
    do {
        if (value - last > self->rounding)
            break;
        last = value;
        *(second ? &out->second : &out->first) += 1;
        *(second ? &self->j : &self->i) += 1;
    } while (peek(self, &value, &second));
    return true;
}

bool pooled_next(struct pooled *self, struct group *out)
{
    if (self->part)
        return next_dealt(self, out);
    return self->cells > 0 ? next_cell(self, out) : next_merged(self, out);
}

/* Counts of both samples. */
void pooled_totals(const struct pooled *self, double *first, double *second)
{
    *first = self->first_count;
    *second = self->second_count;
    if (self->part) {
        uint32_t dealt = 0;
        for (uint32_t i = 0; i < self->first_count; i++)
            dealt += self->part[self->event[i]];
        *first -= dealt;
        *second = dealt;
    } else if (self->cells > 0) {
        *first = *second = 0;
        for (uint32_t i = 0; i < self->cells; i++) {
            *first += self->first_cells[i];
            *second += self->second_cells[i];
        }
    }
}

static void close_bin(struct binned *out, struct group *open)
{
    out->first[out->count] = open->first;
    out->second[out->count] = open->second;
    out->count++;
    *open = (struct group){0};
}

void pooled_bin(const struct pooled *self, double first_total, uint32_t bins, struct binned *out)
{
    struct pooled walk = *self;
    struct group group, open = {0};
    double seen = 0, share = first_total / bins, rounding = 1e-9 * share;
    uint32_t wanted = 1; /* the quantile that closes the open bin */
    out->count = 0;
    walk.i = walk.j = 0;
    while (pooled_next(&walk, &group)) {
        bool alone = group.first >= share - rounding;
        if (alone && open.first + open.second > 0)
            close_bin(out, &open);
        open.first += group.first;
        open.second += group.second;
        seen += group.first;
        bool reached = wanted < bins && seen >= wanted * share - rounding;
        while (wanted < bins && seen >= wanted * share - rounding)
            wanted++;
        if (alone || reached)
            close_bin(out, &open);
    }
    if (open.first + open.second > 0)
        close_bin(out, &open);
}
