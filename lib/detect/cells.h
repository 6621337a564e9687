/* cells.h - histograms and categories on one grid: at most 64 cells that the first events of a reference lay down.
 *
 * A histogram's grid is that of the first histogram (coarsened where it has more bins than there are cells) with an
 * open cell at either end; later ones are spread over it by overlap. Categories get a cell each as they come, by a hash
 * of their name; the last cell takes whatever came too late.
 *
 * Threads: an instance belongs to one thread. Memory: all of it is taken in cells_new(). Failure: -ENOMEM there.
 */
#ifndef DRIFT_LIB_DETECT_CELLS_H
#define DRIFT_LIB_DETECT_CELLS_H

#include "lib/detect/detector.h"

#define CELLS_MAX 64
#define CELLS_OTHER (CELLS_MAX - 1)

enum cells_kind { CELLS_EMPTY, CELLS_HISTOGRAM, CELLS_CATEGORIES };

struct cells {
    enum cells_kind kind;
    uint32_t count; /* cells in use */
    uint32_t rows;  /* events of the reference there is room for */
    union {
        double edges[CELLS_MAX];   /* count - 1 of them, between the cells */
        uint64_t names[CELLS_MAX]; /* hashes */
    };
    double reference[CELLS_MAX], window[CELLS_MAX]; /* counts */
    double fresh[CELLS_MAX];                        /* of the event at hand */
    double first[CELLS_MAX], second[CELLS_MAX];     /* scratch for the two parts of a deal */
    float row[][CELLS_MAX];                         /* the events of the reference */
};

int cells_new(struct cells **self_p, uint32_t rows);
void cells_restart(struct cells *self);
size_t cells_bytes(const struct cells *self);

/* Puts an event into `fresh`. `learn`: the grid may still grow. Returns its total count, 0: empty. */
double cells_of_histogram(struct cells *self, const double *edges, const uint64_t *counts, uint32_t bins);
double cells_of_categories(struct cells *self, const struct detect_category *categories, uint32_t count, bool learn);

/* Where a cell stands on the axis: its middle; the open ones at their edge. */
double cells_place(const struct cells *self, uint32_t cell);

void cells_walk(struct cells *self, uint32_t rows, struct codec *codec);
void cells_destroy(struct cells **self_p);

#endif
