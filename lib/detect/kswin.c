/* kswin: the newest `stat_size` values against all older ones in the window, by the two-sample Kolmogorov-Smirnov test
 * (Raab, Heusinger, Schleif 2020).
 *
 *     drift when the exact P(D >= d) <= alpha, and d > 0.1 as in River.
 *
 * Not River's: it compares with a random sample of the older values, we with all of them, and draw nothing. Values that
 * differ by rounding only are ties. The statistic of a verdict is d, its threshold the least d that alarms. */
#include <math.h>
#include <string.h>

#include "lib/detect/detector.h"

#define WINDOW_MOST 2000
#define LEAST_DISTANCE 0.1

struct ranked {
    double value;
    uint32_t slot; /* in the ring */
};

struct kswin {
    uint32_t window, newer;          /* sizes */
    uint32_t older_unit, newer_unit; /* distances are counted in 1 / lcm(older, newer) */
    uint32_t lattice, critical;
    uint32_t count, head;   /* values in the window; the slot of the oldest */
    struct ranked ranked[]; /* by value; then `window` doubles of the ring */
};

static const struct detect_param params[] = {
    {"alpha", DETECT_NUMBER, 0.005, 0, 1, true, NULL, "chance of a false alarm at one test"},
    {"window_size", DETECT_WHOLE, 100, 4, WINDOW_MOST, false, NULL, "values in the window"},
    {"stat_size", DETECT_WHOLE, 30, 2, WINDOW_MOST, false, NULL, "newest of them, tested against the rest"},
};

static bool check(const struct detect_params *given, struct detect_error *error)
{
    double window = detect_params_get(given, "window_size"), newer = detect_params_get(given, "stat_size");
    if (newer <= window - 2)
        return true;
    detect_say(error, "stat_size: %g is not allowed; it takes at most window_size - 2, which is %g", newer, window - 2);
    return false;
}

static size_t bytes(const struct detect_params *given)
{
    size_t window = (size_t)detect_params_get(given, "window_size");
    /* The last part is scratch for the critical distance at first. */
    return sizeof(struct kswin) + window * (sizeof(struct ranked) + sizeof(double));
}

static double *ring_of(struct kswin *self)
{
    return (double *)(void *)(self->ranked + self->window);
}

/* P(D >= h / lattice) when both samples come from one continuous distribution: the part of all paths from (0, 0) to
 * (older, newer) that touch the outside of the band (Hodges 1957). Nothing is subtracted, so that small ones are exact.
 * `row` is scratch for newer + 1 values. */
static double exceeded(const struct kswin *self, uint32_t h, double *row)
{
    uint32_t older = self->window - self->newer;
    for (uint32_t i = 0; i <= older; i++) {
        for (uint32_t j = 0; j <= self->newer; j++) {
            int64_t apart = (int64_t)i * self->older_unit - (int64_t)j * self->newer_unit;
            if (apart >= (int64_t)h || -apart >= (int64_t)h)
                row[j] = 1;
            else if (i + j == 0)
                row[j] = 0;
            else
                row[j] = ((i ? i * row[j] : 0) + (j ? j * row[j - 1] : 0)) / (double)(i + j);
        }
    }
    return row[self->newer];
}

static uint32_t greatest_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void init(void *state, const struct detect_params *given)
{
    struct kswin *self = state;
    double alpha = detect_params_get(given, "alpha");
    self->window = (uint32_t)detect_params_get(given, "window_size");
    self->newer = (uint32_t)detect_params_get(given, "stat_size");
    uint32_t older = self->window - self->newer, divisor = greatest_divisor(older, self->newer);
    self->older_unit = self->newer / divisor;
    self->newer_unit = older / divisor;
    self->lattice = older / divisor * self->newer;
    uint32_t low = 1, high = self->lattice + 1; /* the first: never */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (exceeded(self, middle, ring_of(self)) <= alpha)
            high = middle;
        else
            low = middle + 1;
    }
    while (low <= self->lattice && (double)low / self->lattice <= LEAST_DISTANCE)
        low++;
    self->critical = low;
}

static void restart(void *state)
{
    struct kswin *self = state;
    self->count = self->head = 0;
}

/* The place of the first value that is not below `value`. */
static uint32_t place_of(const struct kswin *self, double value)
{
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->ranked[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct kswin *self, double value)
{
    uint32_t slot = (self->head + self->count) % self->window;
    if (self->count == self->window) {
        uint32_t place = place_of(self, ring_of(self)[self->head]);
        while (place + 1 < self->count && self->ranked[place].slot != self->head)
            place++;
        self->count--;
        memmove(self->ranked + place, self->ranked + place + 1, (self->count - place) * sizeof(self->ranked[0]));
        slot = self->head;
        self->head = (self->head + 1) % self->window;
    }
    uint32_t place = place_of(self, value);
    memmove(self->ranked + place + 1, self->ranked + place, (self->count - place) * sizeof(self->ranked[0]));
    self->ranked[place] = (struct ranked){.value = value, .slot = slot};
    ring_of(self)[slot] = value;
    self->count++;
}

static bool is_newer(const struct kswin *self, uint32_t slot)
{
    uint32_t age = (slot + self->window - self->head) % self->window;
    return age >= self->window - self->newer;
}

static uint32_t distance(const struct kswin *self)
{
    int64_t apart = 0, most = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        apart += is_newer(self, self->ranked[i].slot) ? -(int64_t)self->newer_unit : (int64_t)self->older_unit;
        bool tie = i + 1 < self->count && self->ranked[i + 1].value - self->ranked[i].value <=
                                              DETECT_ROUNDING * fmax(1, fabs(self->ranked[i].value));
        if (!tie) {
            int64_t far = apart < 0 ? -apart : apart;
            most = far > most ? far : most;
        }
    }
    return (uint32_t)most;
}

static void tell(struct kswin *self, uint64_t index, struct detect_verdict *out)
{
    double n[2] = {0}, mean[2] = {0}, squares[2] = {0};
    for (uint32_t i = 0; i < self->count; i++) {
        int which = is_newer(self, self->ranked[i].slot);
        double before = self->ranked[i].value - mean[which];
        n[which]++;
        mean[which] += before / n[which];
        squares[which] += before * (self->ranked[i].value - mean[which]);
    }
    out->state = DETECT_DRIFT;
    out->changed_at = index + 1 - self->newer;
    detect_size(out, mean[1] - mean[0],
                DETECT_NORMAL_95 * sqrt(squares[0] / (n[0] * (n[0] - 1)) + squares[1] / (n[1] * (n[1] - 1))));
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct kswin *self = state;
    insert(self, value);
    if (self->count < self->window)
        return;
    uint32_t far = distance(self);
    out->statistic = (double)far / self->lattice;
    out->threshold = (double)self->critical / self->lattice;
    if (far >= self->critical)
        tell(self, index, out);
}

/* The ranking is a permutation of the ring, or nothing would find its way in it. */
static bool fill_ring(struct kswin *self)
{
    double *ring = ring_of(self);
    for (uint32_t slot = 0; slot < self->window; slot++)
        ring[slot] = NAN;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct ranked *ranked = &self->ranked[i];
        bool rises = i == 0 ? isfinite(ranked->value) : ranked->value >= ranked[-1].value;
        if (!rises || !isnan(ring[ranked->slot]))
            return false;
        ring[ranked->slot] = ranked->value;
    }
    return self->count == self->window || self->head == 0;
}

static void walk(void *state, struct codec *codec)
{
    struct kswin *self = state;
    codec_u32(codec, &self->count, self->window);
    codec_u32(codec, &self->head, self->window - 1);
    for (uint32_t i = 0; i < self->count; i++) {
        codec_f64(codec, &self->ranked[i].value);
        codec_u32(codec, &self->ranked[i].slot, self->window - 1);
    }
    if (!codec->failed && !fill_ring(self))
        codec->failed = true;
}

const struct detector detector_kswin = {
    .name = "kswin",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .walk = walk,
    .check = check,
};
