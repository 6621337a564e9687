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

/* The next value of the walk and the part it belongs to; only looks. */
static bool peek(const struct pooled *self, double *value, bool *second)
{
    if (self->part) {
        if (self->i >= self->first_count)
            return false;
        *value = self->first[self->i];
        *second = self->part[self->event[self->i]];
        return true;
    }
    bool has_first = self->i < self->first_count, has_second = self->j < self->second_count;
    if (!has_first && !has_second)
        return false;
    *second = !has_first || (has_second && self->second[self->j] < self->first[self->i]);
    *value = *second ? self->second[self->j] : self->first[self->i];
    return true;
}

bool pooled_next(struct pooled *self, struct group *out)
{
    if (self->cells > 0)
        return next_cell(self, out);
    double value;
    bool second;
    if (!peek(self, &value, &second))
        return false;
    *out = (struct group){.value = value};
    double last = value;
    do {
        if (value - last > self->rounding)
            break;
        last = value;
        if (second)
            out->second++;
        else
            out->first++;
        if (second && !self->part)
            self->j++;
        else
            self->i++;
    } while (peek(self, &value, &second));
    return true;
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
