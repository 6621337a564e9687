/* adwin: adaptive window, cut wherever its two parts differ in mean (Bifet and Gavalda 2007).
 *
 *     dd = ln(2 ln(n) / delta), m = 1 / (n0 - least + 1) + 1 / (n1 - least + 1),
 *     drift when |mean0 - mean1| > sqrt(2 m var dd) + (2/3) dd m for some cut, looked for every `clock` values.
 *
 * The window is an exponential histogram: rows of buckets of 2^row values, `max_buckets` of them before the two oldest
 * become one of the next row (Datar and others 2002; sums of squares joined after Babcock and others 2003).
 *
 * Decides as River 0.24 does: every bucket is visited, where River before 0.22 left out the newest of each row. Not
 * River's: sums are of differences from the first value, and means that differ by rounding do not differ; a value 10^9
 * times further out than all others is a drift by itself (among the first 30 it is left out), where it would blind the
 * window for as long as it is in it; a window of more than 10^8 values loses its oldest, as
 * does one that there is no memory for.
 *
 * Between two looks nothing can be said, so values wait and enter one by one when a look is due: the decisions are the
 * same, and most values touch two cache lines only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/detect/detector.h"

#define ROWS 24
#define NEAR_ROWS 8 /* enough for some 1,300 values, with 5 buckets a row */
#define FAR_STEP 2  /* rows that are made at a time */
#define ABSURD 1e9
#define ABSURD_FROM 30 /* values that tell what is usual */
#define USUAL                                                                                                          \
    (0.9 * ABSURD) /* from then on no value up to here is out of proportion: |value - mean| <= ABSURD max(1, |mean|)   \
                    */
#define WAITING_MOST 16

struct bucket {
    double total, squares; /* sum, and squared deviations from its mean */
};

struct adwin {
    uint32_t clock, tick;
    uint32_t waiting, waiting_most;
    double origin;                /* the first value; all sums are of differences from it */
    double width, total, squares; /* of the values that have entered */
    uint32_t max_buckets;
    uint32_t rows;      /* in use */
    uint8_t used[ROWS]; /* buckets of each row, oldest first */
    double delta, least_window, grace_period;
    struct bucket *far; /* all rows but the first NEAR_ROWS, of which there is room for far_rows */
    uint32_t far_rows;
    double value[]; /* that wait; behind them the first NEAR_ROWS rows of max_buckets each */
};

static const struct detect_param params[] = {
    {"delta", DETECT_NUMBER, 0.002, 0, 1, true, NULL, "confidence: the less, the fewer alarms"},
    {"clock", DETECT_WHOLE, 32, 1, 1000000, false, NULL, "values between two looks"},
    {"max_buckets", DETECT_WHOLE, 5, 1, 100, false, NULL, "buckets of a size"},
    {"min_window_length", DETECT_WHOLE, 5, 1, 1000000, false, NULL, "values of the smaller part of a cut"},
    {"grace_period", DETECT_WHOLE, 10, 0, 1e9, false, NULL, "values before the first look"},
};

static uint32_t waiting_most(const struct detect_params *given)
{
    return (uint32_t)fmin(detect_params_get(given, "clock"), WAITING_MOST);
}

static size_t bytes(const struct detect_params *given)
{
    return sizeof(struct adwin) + waiting_most(given) * sizeof(double) +
           NEAR_ROWS * (size_t)detect_params_get(given, "max_buckets") * sizeof(struct bucket);
}

static void init(void *state, const struct detect_params *given)
{
    struct adwin *self = state;
    self->delta = detect_params_get(given, "delta");
    self->clock = (uint32_t)detect_params_get(given, "clock");
    self->waiting_most = waiting_most(given);
    self->max_buckets = (uint32_t)detect_params_get(given, "max_buckets");
    self->least_window = detect_params_get(given, "min_window_length");
    self->grace_period = detect_params_get(given, "grace_period");
}

static void restart(void *state)
{
    struct adwin *self = state;
    self->tick = self->waiting = 0;
    self->rows = 1;
    memset(self->used, 0, sizeof(self->used));
    self->origin = self->width = self->total = self->squares = 0;
}

static struct bucket *row_of(const struct adwin *self, uint32_t row)
{
    const size_t each = self->max_buckets;
    struct bucket *near = (struct bucket *)(uintptr_t)(self->value + self->waiting_most);
    return row < NEAR_ROWS ? near + row * each : self->far + (row - NEAR_ROWS) * each;
}

/* Sees to room for a row; false: there is no memory. */
static bool make_row(struct adwin *self, uint32_t row)
{
    if (row < NEAR_ROWS + self->far_rows)
        return true;
    uint32_t rows = self->far_rows + FAR_STEP;
    while (rows <= row - NEAR_ROWS)
        rows += FAR_STEP;
    struct bucket *far = realloc(self->far, rows * (size_t)self->max_buckets * sizeof *far);
    if (!far)
        return false;
    self->far = far;
    self->far_rows = rows;
    return true;
}

static void drop(struct adwin *self, uint32_t row, uint32_t count)
{
    struct bucket *buckets = row_of(self, row);
    self->used[row] = (uint8_t)(self->used[row] - count);
    memmove(buckets, buckets + count, self->used[row] * sizeof(*buckets));
}

static double size_of(uint32_t row)
{
    return (double)(UINT64_C(1) << row);
}

/* Takes the oldest bucket out of the window. */
static void drop_oldest(struct adwin *self)
{
    uint32_t row = self->rows - 1;
    struct bucket oldest = row_of(self, row)[0];
    double n = size_of(row), left = self->width - n;
    double apart = oldest.total / n - (self->total - oldest.total) / left;
    self->width = left;
    self->total -= oldest.total;
    self->squares = detect_at_least(0, self->squares - oldest.squares - n * left * apart * apart / (n + left));
    drop(self, row, 1);
    while (self->rows > 1 && self->used[self->rows - 1] == 0)
        self->rows--;
}

/* Two buckets of n values each as one. */
static struct bucket join(struct bucket a, struct bucket b, double n)
{
    const double apart = (a.total - b.total) / n;
    return (struct bucket){.total = a.total + b.total, .squares = a.squares + b.squares + n * apart * apart / 2};
}

/* A bucket for a full row, of whose buckets the two oldest become the one that is returned. */
static struct bucket pass_on(struct bucket *at, uint32_t count, struct bucket bucket, double n)
{
    if (count == 1)
        return join(at[0], bucket, n);
    const struct bucket joined = join(at[0], at[1], n);
    for (uint32_t i = 2; i < count; i++)
        at[i - 2] = at[i];
    at[count - 2] = bucket;
    return joined;
}

static void put(struct adwin *self, struct bucket bucket)
{
    uint32_t row = 0;
    for (; self->used[row] == self->max_buckets; row++) {
        if (row + 1 == ROWS || !make_row(self, row + 1)) {
            drop_oldest(self);
            break;
        }
        bucket = pass_on(row_of(self, row), self->max_buckets, bucket, size_of(row));
        self->used[row]--;
    }
    row_of(self, row)[self->used[row]++] = bucket;
    if (row >= self->rows)
        self->rows = row + 1;
}

static void insert(struct adwin *self, double value)
{
    if (self->width == 0)
        self->origin = value;
    value -= self->origin;
    if (self->width > 0) {
        double apart = value - self->total / self->width;
        self->squares += self->width * apart * apart / (self->width + 1);
    }
    self->width += 1;
    self->total += value;
    put(self, (struct bucket){.total = value});
}

/* Looks at every cut; the one that tells most is where the change is thought to have been. */
static void look(const struct adwin *self, uint64_t index, struct detect_verdict *out)
{
    double n0 = 0, u0 = 0, dd = log(2 * log(self->width) / self->delta), variance = self->squares / self->width;
    double most = -1;
    const double least = DETECT_ROUNDING * fabs(self->origin);
    for (uint32_t row = self->rows; row-- > 0;) {
        const struct bucket *buckets = row_of(self, row);
        for (uint32_t i = 0; i < self->used[row]; i++) {
            n0 += size_of(row);
            u0 += buckets[i].total;
            double n1 = self->width - n0;
            if (n0 < self->least_window || n1 < self->least_window)
                continue;
            double m = 1 / (n0 - self->least_window + 1) + 1 / (n1 - self->least_window + 1);
            double eps = sqrt(2 * m * variance * dd) + 2.0 / 3 * dd * m;
            double size = (self->total - u0) / n1 - u0 / n0;
            eps = detect_at_least(least, eps);
            if (fabs(size) <= most * eps)
                continue;
            most = fabs(size) / eps;
            out->statistic = fabs(size);
            out->threshold = eps;
            out->changed_at = index + 1 - (uint64_t)n1;
            detect_size(out, size, DETECT_NORMAL_95 * sqrt(variance * (1 / n0 + 1 / n1)));
        }
    }
    if (out->statistic > out->threshold) {
        out->state = DETECT_DRIFT;
        return;
    }
    out->changed_at = DETECT_UNKNOWN;
    out->size = out->lower = out->upper = NAN;
}

/* Sees to a value or a window that is out of all proportion to the other; false: nothing of the kind. Among the first
 * values it is just left out, since nobody can say yet what has changed. */
static bool absurd(struct adwin *self, uint64_t index, double value, struct detect_verdict *out)
{
    if (self->width == 0)
        return false;
    double mean = self->total / self->width + self->origin;
    double most = ABSURD * detect_at_least(detect_at_least(1, fabs(mean)), sqrt(self->squares / self->width));
    if (self->width < ABSURD_FROM && fabs(mean) > ABSURD * detect_at_least(1, fabs(value)))
        restart(self);
    if (fabs(value - mean) <= most)
        return false;
    if (self->width < ABSURD_FROM)
        return true;
    out->state = DETECT_DRIFT;
    out->statistic = fabs(value - mean);
    out->threshold = most;
    out->changed_at = index;
    out->size = value - mean;
    return true;
}

static void let_in(struct adwin *self)
{
    for (uint32_t i = 0; i < self->waiting; i++)
        insert(self, self->value[i]);
    self->waiting = 0;
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct adwin *self = state;
    if (self->waiting == self->waiting_most)
        let_in(self);
    if (self->width >= ABSURD_FROM && fabs(value) <= USUAL) {
        self->value[self->waiting++] = value;
    } else {
        let_in(self);
        if (absurd(self, index, value, out))
            return;
        insert(self, value);
    }
    if (++self->tick < self->clock)
        return;
    self->tick = 0;
    let_in(self);
    if (self->width > self->grace_period)
        look(self, index, out);
}

static void quiet(const void *state, uint32_t most, struct detect_quiet *out)
{
    const struct adwin *self = state;
    const uint32_t left = self->clock - self->tick - 1;
    out->values = self->width < ABSURD_FROM ? 0 : left < most ? left : most;
    out->low = -USUAL;
    out->high = USUAL;
}

/* None of them is looked at: all are usual, and the clock does not strike. */
static void add_quiet(void *state, uint64_t index, const double *values, uint32_t count, struct detect_verdict *out)
{
    struct adwin *self = state;
    (void)index, (void)out;
    for (uint32_t i = 0; i < count; i++) {
        if (self->waiting == self->waiting_most)
            let_in(self);
        self->value[self->waiting++] = values[i];
    }
    self->tick += count;
}

static void walk(void *state, struct codec *codec)
{
    struct adwin *self = state;
    let_in(self);
    codec_u32(codec, &self->tick, self->clock);
    codec_u32(codec, &self->rows, ROWS);
    codec_f64(codec, &self->origin);
    codec_f64(codec, &self->width);
    codec_f64(codec, &self->total);
    codec_f64(codec, &self->squares);
    for (uint32_t row = 0; row < self->rows && !codec->failed; row++) {
        uint32_t used = self->used[row];
        if (!make_row(self, row)) {
            codec->failed = codec->out_of_memory = true;
            return;
        }
        codec_u32(codec, &used, self->max_buckets);
        self->used[row] = (uint8_t)used;
        for (uint32_t i = 0; i < self->used[row]; i++) {
            codec_f64(codec, &row_of(self, row)[i].total);
            codec_f64(codec, &row_of(self, row)[i].squares);
        }
    }
    if (self->rows == 0)
        codec->failed = true;
}

static size_t more_bytes(const void *state)
{
    const struct adwin *self = state;
    return self->far_rows * (size_t)self->max_buckets * sizeof *self->far;
}

static void release(void *state)
{
    struct adwin *self = state;
    free(self->far);
    self->far = NULL;
    self->far_rows = 0;
}

const struct detector detector_adwin = {
    .name = "adwin",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .hot = offsetof(struct adwin, total),
    .ring_at = offsetof(struct adwin, value),
    .ring_places = WAITING_MOST,
    .quiet = quiet,
    .add_quiet = add_quiet,
    .walk = walk,
    .more_bytes = more_bytes,
    .release = release,
};
