#include "lib/detect/cells.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int cells_new(struct cells **self_p, uint32_t rows)
{
    struct cells *self = calloc(1, sizeof(*self) + rows * sizeof(self->row[0]));
    if (!self)
        return -ENOMEM;
    self->rows = rows;
    *self_p = self;
    return 0;
}

size_t cells_bytes(const struct cells *self)
{
    return sizeof(*self) + self->rows * sizeof(self->row[0]);
}

void cells_restart(struct cells *self)
{
    self->kind = CELLS_EMPTY;
    self->count = 0;
    memset(self->names, 0, sizeof(self->names));
    memset(self->reference, 0, sizeof(self->reference));
    memset(self->window, 0, sizeof(self->window));
    memset(self->row, 0, self->rows * sizeof(self->row[0]));
}

static double edge_of(double edge)
{
    return fmax(-DETECT_VALUE_MAX, fmin(edge, DETECT_VALUE_MAX));
}

/* The first histogram's edges, every so many of them. */
static void lay_grid(struct cells *self, const double *edges, uint32_t bins)
{
    uint32_t step = (bins + CELLS_MAX - 3) / (CELLS_MAX - 2), used = 0;
    for (uint32_t i = 0; i < bins; i += step)
        self->edges[used++] = edge_of(edges[i]);
    self->edges[used++] = edge_of(edges[bins]);
    self->count = used + 1;
    self->kind = CELLS_HISTOGRAM;
}

static double cell_low(const struct cells *self, uint32_t cell)
{
    return cell == 0 ? -INFINITY : self->edges[cell - 1];
}

static double cell_high(const struct cells *self, uint32_t cell)
{
    return cell == self->count - 1 ? INFINITY : self->edges[cell];
}

/* Spreads one bin over the cells it overlaps, from `cell` on; returns the last of them. Bins come rising. */
static uint32_t spread(struct cells *self, double low, double high, double count, uint32_t cell)
{
    while (cell_high(self, cell) <= low)
        cell++;
    if (!(high > low)) {
        self->fresh[cell] += count;
        return cell;
    }
    for (;; cell++) {
        double from = fmax(low, cell_low(self, cell)), to = fmin(high, cell_high(self, cell));
        self->fresh[cell] += count * ((to - from) / (high - low));
        if (cell_high(self, cell) >= high)
            return cell;
    }
}

double cells_of_histogram(struct cells *self, const double *edges, const uint64_t *counts, uint32_t bins)
{
    double total = 0;
    for (uint32_t i = 0; i < bins; i++)
        total += (double)counts[i];
    if (!(total > 0))
        return 0;
    if (self->kind == CELLS_EMPTY)
        lay_grid(self, edges, bins);
    memset(self->fresh, 0, sizeof(self->fresh));
    uint32_t cell = 0;
    for (uint32_t i = 0; i < bins; i++)
        cell = spread(self, edge_of(edges[i]), edge_of(edges[i + 1]), (double)counts[i], cell);
    return total;
}

/* FNV-1a. */
static uint64_t hash_of(struct text name)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint8_t)name.at[i]) * 1099511628211u;
    return hash;
}

static uint32_t cell_of(struct cells *self, uint64_t hash, bool learn)
{
    uint32_t named = self->count > 0 ? self->count - 1 : 0; /* the last cell is for all others */
    for (uint32_t i = 0; i < named; i++)
        if (self->names[i] == hash)
            return i;
    if (!learn || named == CELLS_OTHER)
        return CELLS_OTHER;
    self->names[named] = hash;
    self->count = named + 2;
    return named;
}

double cells_of_categories(struct cells *self, const struct detect_category *categories, uint32_t count, bool learn)
{
    double total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += (double)categories[i].count;
    if (!(total > 0))
        return 0;
    self->kind = CELLS_CATEGORIES;
    memset(self->fresh, 0, sizeof(self->fresh));
    for (uint32_t i = 0; i < count; i++)
        if (categories[i].count > 0)
            self->fresh[cell_of(self, hash_of(categories[i].name), learn)] += (double)categories[i].count;
    return total;
}

double cells_place(const struct cells *self, uint32_t cell)
{
    if (cell == 0)
        return self->edges[0];
    if (cell == self->count - 1)
        return self->edges[cell - 1];
    return 0.5 * self->edges[cell - 1] + 0.5 * self->edges[cell];
}

void cells_walk(struct cells *self, uint32_t rows, struct codec *codec)
{
    uint32_t kind = self->kind;
    codec_u32(codec, &kind, CELLS_CATEGORIES);
    codec_u32(codec, &self->count, CELLS_MAX);
    self->kind = (enum cells_kind)kind;
    for (uint32_t i = 0; i < CELLS_MAX; i++)
        codec_u64(codec, &self->names[i]);
    codec_f64s(codec, self->reference, CELLS_MAX);
    codec_f64s(codec, self->window, CELLS_MAX);
    for (uint32_t i = 0; i < rows && !codec->failed; i++)
        codec_f32s(codec, self->row[i], CELLS_MAX);
    /* Spreading a histogram over a grid relies on it. */
    for (uint32_t i = 0; self->kind == CELLS_HISTOGRAM && i + 2 < self->count; i++)
        if (!(self->edges[i] <= self->edges[i + 1]))
            codec->failed = true;
    if (self->kind == CELLS_HISTOGRAM && self->count < 3)
        codec->failed = true;
}

void cells_destroy(struct cells **self_p)
{
    free(*self_p);
    *self_p = NULL;
}
