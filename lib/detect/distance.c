#include "lib/detect/distance.h"

#include <errno.h>
#include <math.h>
#include <string.h>


/* Layout ---------------------------------------------------------------------------------------------------------- */

size_t distance_bytes(const struct detect_params *params)
{
    size_t reference = (size_t)detect_params_get(params, "reference"),
           window = (size_t)detect_params_get(params, "window");
    return sizeof(struct distance) + (reference + window) * sizeof(double) + reference * (2 * sizeof(uint32_t) + 1);
}

void distance_init(struct distance *self, const struct detect_params *params, const struct distance_kind *kind)
{
    double bins = detect_params_get(params, "bins");
    self->kind = kind;
    self->reference = (uint32_t)detect_params_get(params, "reference");
    self->window = (uint32_t)detect_params_get(params, "window");
    self->bins = isnan(bins) ? 1 : (uint32_t)bins;
    self->alpha = detect_params_get(params, "alpha");
    self->given = detect_params_get(params, "threshold");
    distance_retune(self, params);
}

void distance_retune(void *state, const struct detect_params *params)
{
    struct distance *self = state;
    if (params->promise > 0)
        self->alpha = fmin(self->window / params->promise, PERMUTATION_ALPHA_MOST);
    if (self->ready && self->dealt)
        distance_limit(self);
}

/* Of the reference, where it is one of values. */
bool distance_moments(const void *state, struct detect_moments *out)
{
    const struct distance *self = state;
    if (self->input != INPUT_VALUES || self->collected < 2)
        return false;
    *out = (struct detect_moments){.n = self->collected,
                                   .mean = self->mean[0],
                                   .sd = sqrt(self->squares[0] / (self->collected - 1)),
                                   .autocorrelation = NAN};
    return true;
}

int distance_promise(struct detect_params *params, double events)
{
    if (!isnan(detect_params_get(params, "threshold")))
        return -ERANGE;
    params->approximate = detect_params_get(params, "window") / events * (PERMUTATION_ROUNDS + 1) < 1;
    return 0;
}

void distance_restart(void *state)
{
    struct distance *self = state;
    self->input = INPUT_NONE;
    self->collected = self->filled = 0;
    self->ready = self->approximate = self->dealt = false;
    self->from = self->to = 0;
    self->threshold = self->given;
    self->rounding = DETECT_ROUNDING;
    memset(self->mean, 0, sizeof(self->mean));
    memset(self->squares, 0, sizeof(self->squares));
    if (self->cells)
        cells_restart(self->cells);
}

/* Measuring ------------------------------------------------------------------------------------------------------- */

double distance_measure(const struct distance *self, struct pooled *pooled)
{
    struct group group;
    double n1, n2;
    pooled_totals(pooled, &n1, &n2);
    pooled->i = pooled->j = 0;
    if (!(n1 > 0 && n2 > 0))
        return 0;
    if (self->kind->of_order)
        return self->kind->of_order(pooled, n1, n2);
    struct binned bins;
    bins.count = 0;
    if (self->cells && self->cells->kind == CELLS_CATEGORIES && self->input == INPUT_CELLS) {
        while (pooled_next(pooled, &group)) {
            if (!(group.first + group.second > 0))
                continue;
            bins.first[bins.count] = group.first;
            bins.second[bins.count++] = group.second;
        }
    } else {
        pooled_bin(pooled, n1, self->bins, &bins);
    }
    return self->kind->of_bins(&bins, n1, n2);
}

double distance_of_cells(const struct distance *self, const double *first, const double *second)
{
    double place[CELLS_MAX];
    struct cells *cells = self->cells;
    for (uint32_t i = 0; cells->kind == CELLS_HISTOGRAM && i < cells->count; i++)
        place[i] = cells_place(cells, i);
    if (cells->kind == CELLS_CATEGORIES)
        memset(place, 0, sizeof(place));
    struct pooled pooled = {.place = place,
                            .first_cells = first,
                            .second_cells = second,
                            .cells = cells->kind == CELLS_CATEGORIES ? CELLS_MAX : cells->count};
    return distance_measure(self, &pooled);
}

/* A window is full ------------------------------------------------------------------------------------------------ */

/* Values that the reference never had may come by chance as well: c of them all in the window, of c in both together,
 * with probability (window / (reference + window))^c. What fewer than that can do is no drift; this matters where the
 * reference knows next to no variation, so that permutations have none to show. */
static double novelty(const struct distance *self, const struct pooled *pooled)
{
    double n1 = pooled->first_count, n2 = pooled->second_count;
    double odd = fmin(ceil(log(self->alpha) / log(n2 / (n1 + n2))) - 1, n2 - 1);
    const double *a = pooled->first, *b = pooled->second;
    double low = fmin(a[0], b[0]), high = fmax(a[pooled->first_count - 1], b[pooled->second_count - 1]);
    double place[] = {0, high - low}, first[] = {n1, 0}, second[] = {n2 - odd, odd};
    struct pooled cells = {.place = place, .first_cells = first, .second_cells = second, .cells = 2};
    return distance_measure(self, &cells);
}

static void tell(const struct distance *self, uint64_t index, struct detect_verdict *out)
{
    out->state = DETECT_DRIFT;
    out->changed_at = index + 1 - self->window;
    if (self->cells && self->cells->kind == CELLS_CATEGORIES)
        return;
    double reference = self->collected, window = self->window;
    detect_size(out, self->mean[1] - self->mean[0],
                DETECT_NORMAL_95 * sqrt(self->squares[0] / (reference * (reference - 1)) +
                                        self->squares[1] / (window * (window - 1))));
}

static void judge(struct distance *self, uint64_t index, struct detect_verdict *out)
{
    out->threshold = self->threshold;
    if (self->input == INPUT_VALUES) {
        double *window = self->values + self->reference;
        distance_sort(window, NULL, self->window);
        struct pooled pooled = {.first = self->values + self->from,
                                .first_count = self->to - self->from,
                                .second = window,
                                .second_count = self->window,
                                .rounding = self->rounding};
        out->statistic = distance_measure(self, &pooled);
        if (isnan(self->given) && out->statistic > self->threshold)
            out->threshold = fmax(self->threshold, novelty(self, &pooled));
    } else {
        out->statistic = distance_of_cells(self, self->cells->reference, self->cells->window);
    }
    if (out->statistic > out->threshold)
        tell(self, index, out);
    self->filled = 0;
    self->mean[1] = self->squares[1] = 0;
    if (self->cells)
        memset(self->cells->window, 0, sizeof(self->cells->window));
}

/* Taking events --------------------------------------------------------------------------------------------------- */

static void moments(struct distance *self, int which, uint32_t n, double value)
{
    double before = value - self->mean[which];
    self->mean[which] += before / n;
    self->squares[which] += before * (value - self->mean[which]);
}

void distance_add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct distance *self = state;
    if (self->input == INPUT_NONE)
        self->input = INPUT_VALUES;
    if (self->input != INPUT_VALUES)
        return;
    if (!self->ready) {
        self->values[self->collected++] = value;
        moments(self, 0, self->collected, value);
        if (self->collected == self->reference)
            distance_settle(self);
        return;
    }
    self->values[self->reference + self->filled++] = value;
    moments(self, 1, self->filled, value);
    if (self->filled == self->window)
        judge(self, index, out);
}

static int want_cells(struct distance *self, enum cells_kind kind)
{
    if (self->input == INPUT_VALUES || (self->input == INPUT_CELLS && self->cells->kind != kind))
        return -EINVAL;
    return self->cells ? 0 : cells_new(&self->cells, self->reference);
}

static double mean_of_fresh(const struct cells *cells, double total)
{
    double mean = 0;
    for (uint32_t i = 0; cells->kind == CELLS_HISTOGRAM && i < cells->count; i++)
        mean += cells->fresh[i] / total * cells_place(cells, i);
    return mean;
}

static void take_cells(struct distance *self, uint64_t index, double total, struct detect_verdict *out)
{
    struct cells *cells = self->cells;
    self->input = INPUT_CELLS;
    double mean = mean_of_fresh(cells, total);
    for (uint32_t i = 0; i < CELLS_MAX; i++) {
        if (!self->ready)
            cells->row[self->collected][i] = (float)cells->fresh[i];
        *(self->ready ? &cells->window[i] : &cells->reference[i]) += cells->fresh[i];
    }
    if (!self->ready) {
        moments(self, 0, ++self->collected, mean);
        if (self->collected == self->reference)
            distance_settle(self);
    } else {
        moments(self, 1, ++self->filled, mean);
        if (self->filled == self->window)
            judge(self, index, out);
    }
}

int distance_add_histogram(void *state, uint64_t index, const double *edges, const uint64_t *counts, uint32_t bins,
                           struct detect_verdict *out)
{
    struct distance *self = state;
    int error = want_cells(self, CELLS_HISTOGRAM);
    if (error)
        return error;
    double total = cells_of_histogram(self->cells, edges, counts, bins);
    if (!(total > 0))
        return 1;
    take_cells(self, index, total, out);
    return 0;
}

int distance_add_categories(void *state, uint64_t index, const struct detect_category *categories, uint32_t count,
                            struct detect_verdict *out)
{
    struct distance *self = state;
    if (!self->kind->of_bins)
        return -ENOTSUP;
    int error = want_cells(self, CELLS_CATEGORIES);
    if (error)
        return error;
    double total = cells_of_categories(self->cells, categories, count, !self->ready);
    if (!(total > 0))
        return 1;
    take_cells(self, index, total, out);
    return 0;
}

/* Keeping --------------------------------------------------------------------------------------------------------- */

static void walk_values(struct distance *self, struct codec *codec)
{
    codec_f64s(codec, self->values, self->collected);
    codec_f64s(codec, self->values + self->reference, self->filled);
}

/* Behind all else: a state that an earlier version has saved ends before. */
static void walk_deals(struct distance *self, struct codec *codec)
{
    if (codec_loads(codec))
        self->dealt = self->ready && isnan(self->given) && codec->at < codec->size;
    if (!self->dealt)
        return;
    codec_f64(codec, &self->correlation);
    codec_f64s(codec, self->deals, PERMUTATION_TOP);
    if (codec_loads(codec) && !codec->failed)
        distance_limit(self);
}

static void walk_input(struct distance *self, struct codec *codec)
{
    if (self->input == INPUT_VALUES)
        walk_values(self, codec);
    if (self->input != INPUT_CELLS)
        return;
    if (!self->cells && cells_new(&self->cells, self->reference)) {
        self->input = INPUT_NONE;
        codec->failed = codec->out_of_memory = true;
        return;
    }
    cells_walk(self->cells, self->ready ? 0 : self->collected, codec);
}

void distance_walk(void *state, struct codec *codec)
{
    struct distance *self = state;
    uint32_t input = self->input;
    codec_u32(codec, &input, INPUT_CELLS);
    codec_u32(codec, &self->collected, self->reference);
    codec_u32(codec, &self->filled, self->window - 1);
    codec_flag(codec, &self->approximate);
    codec_u32(codec, &self->from, self->reference / 2);
    codec_u32(codec, &self->to, self->reference);
    codec_f64(codec, &self->threshold);
    codec_f64(codec, &self->rounding);
    codec_f64s(codec, self->mean, 2);
    codec_f64s(codec, self->squares, 2);
    self->input = (enum distance_input)input;
    self->ready = self->collected == self->reference;
    if (self->ready && self->input == INPUT_VALUES && self->to <= self->reference / 2)
        codec->failed = true;
    walk_input(self, codec);
    walk_deals(self, codec);
}

size_t distance_more_bytes(const void *state)
{
    const struct distance *self = state;
    return self->cells ? cells_bytes(self->cells) : 0;
}

void distance_release(void *state)
{
    struct distance *self = state;
    cells_destroy(&self->cells);
}
