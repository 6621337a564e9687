/* detection_promise: does detection keep its promise? Simulated rates of false alarms and delays, with fixed seeds.
 *
 *     gcc -std=c11 -O2 -D_GNU_SOURCE -I. -o build/bench/detection_promise bench/detection_promise.c build/libdrift.a
 * -lm build/bench/detection_promise [evidence|known|estimated|delay|latency|robust|distances]...
 *
 * Without an argument all parts run, some minutes. A rate is total events over total alarms, every detector starting
 * anew after its alarm. Streams are independent of each other: stream i of a cell has a seed of its own. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/detect/detect.h"

#define STREAMS 2000

/* Random numbers -------------------------------------------------------------------------------------------------- */

struct source {
    uint64_t state;
    double spare, level;
    bool has_spare;
};

static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Seeds are mixed: neighbours would be one sequence shifted by one. */
static struct source seeded(uint64_t cell, uint64_t stream)
{
    return (struct source){.state = mixed(mixed(cell + 1) ^ (stream + 1))};
}

static double uniform(struct source *self)
{
    self->state += UINT64_C(0x9e3779b97f4a7c15);
    return ((double)(mixed(self->state) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(struct source *self)
{
    if (self->has_spare) {
        self->has_spare = false;
        return self->spare;
    }
    double r = sqrt(-2 * log(uniform(self))), angle = 2 * M_PI * uniform(self);
    self->spare = r * sin(angle);
    self->has_spare = true;
    return r * cos(angle);
}

/* A settled AR(1) with mean 0 and deviation 1. */
static double autoregressive(struct source *self, double phi)
{
    if (self->level == 0)
        self->level = normal(self);
    self->level = phi * self->level + sqrt(1 - phi * phi) * normal(self);
    return self->level;
}

static double gamma_of(struct source *self, double shape)
{
    /* Marsaglia and Tsang 2000, shape >= 1. */
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(self), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(uniform(self)) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

static double beta_of(struct source *self, double a, double b)
{
    double x = gamma_of(self, a), y = gamma_of(self, b);
    return x / (x + y);
}

/* Measuring ------------------------------------------------------------------------------------------------------- */

typedef double draw_fn(struct source *source, uint64_t index);

struct setting {
    const char *name;
    const char *detector;
    const char *options; /* "k=0.5 direction=down" */
    double events;       /* the promise; 0: as the options say */
};

static void configure(struct detect_params *params, const struct setting *setting)
{
    struct detect_error error;
    char copy[256], *save = NULL;
    int failed = detect_params_init(params, setting->detector, &error);
    snprintf(copy, sizeof(copy), "%s", setting->options);
    for (char *word = strtok_r(copy, " ", &save); word && !failed; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        failed = detect_params_set_text(params, word, text_of(equals + 1), &error);
    }
    if (!failed && setting->events > 0)
        failed = detect_params_promise(params, setting->events, &error);
    if (failed) {
        fprintf(stderr, "%s: %s\n", setting->name, error.text);
        exit(1);
    }
}

static struct detect *make(const struct detect_params *params, const struct setting *setting)
{
    struct detect *detector;
    if (detect_new(&detector, setting->detector, params)) {
        fprintf(stderr, "%s: cannot be made\n", setting->name);
        exit(1);
    }
    return detector;
}

struct rate {
    double events, judged, alarms;
};

static struct rate measure(const struct setting *setting, draw_fn *draw, uint64_t streams, uint64_t events)
{
    struct detect_params params;
    struct rate rate = {0};
    configure(&params, setting);
    struct detect *detector = make(&params, setting);
    for (uint64_t stream = 0; stream < streams; stream++) {
        struct source source = seeded(1, stream);
        detect_reset(detector);
        for (uint64_t i = 0; i < events; i++) {
            struct detect_verdict verdict = detect_add(detector, draw(&source, i));
            rate.judged += isfinite(verdict.threshold);
            rate.alarms += verdict.state == DETECT_DRIFT;
        }
        rate.events += (double)events;
    }
    detect_destroy(&detector);
    return rate;
}

static void print_rate(const char *stream, const struct setting *setting, struct rate rate)
{
    double time = rate.events / rate.alarms;
    printf("  %-37s %-28s promised %8g, mean time to a false alarm %9.0f (%.2f)", stream, setting->name,
           setting->events, time, time / setting->events);
    /* Events of a reference cannot alarm: without them. */
    if (rate.judged < rate.events && rate.judged > 0.5 * rate.events)
        printf(", of judged events %9.0f (%.2f)", rate.judged / rate.alarms,
               rate.judged / rate.alarms / setting->events);
    printf(", alarms %.0f\n", rate.alarms);
    fflush(stdout);
}

/* Streams --------------------------------------------------------------------------------------------------------- */

static double draw_normal(struct source *source, uint64_t index)
{
    (void)index;
    return normal(source);
}

static double draw_autoregressive(struct source *source, uint64_t index)
{
    (void)index;
    return autoregressive(source, 0.8);
}

static double draw_latency(struct source *source, uint64_t index)
{
    (void)index;
    return 80 * exp(0.4 * autoregressive(source, 0.8));
}

/* Right with probability 0.8: exactly at a budget of 0.8. */
static double draw_bernoulli(struct source *source, uint64_t index)
{
    (void)index;
    return uniform(source) < 0.8;
}

static double draw_beta(struct source *source, uint64_t index)
{
    (void)index;
    return beta_of(source, 8, 2);
}

/* The level swings between 0.80 and 0.90, never below the budget. */
static double draw_wandering(struct source *source, uint64_t index)
{
    double level = 0.85 + 0.05 * sin(2 * M_PI * (double)index / 700);
    return uniform(source) < level;
}

static double draw_at_budget_dependent(struct source *source, uint64_t index)
{
    (void)index;
    double x = 0.8 + 0.05 * autoregressive(source, 0.8);
    return fmin(1, fmax(0, x));
}

static double draw_student(struct source *source, uint64_t index)
{
    (void)index;
    double chi = 0;
    for (int i = 0; i < 5; i++) {
        double z = normal(source);
        chi += z * z;
    }
    return normal(source) / sqrt(chi / 5);
}

static double draw_share_right(struct source *source, uint64_t index)
{
    (void)index;
    return uniform(source) < 0.95;
}

static double draw_batch_accuracy(struct source *source, uint64_t index)
{
    (void)index;
    int right = 0;
    for (int i = 0; i < 32; i++)
        right += uniform(source) < 0.9;
    return right / 32.0;
}

/* Parts ----------------------------------------------------------------------------------------------------------- */

static void part_evidence(void)
{
    static const struct {
        const char *name;
        draw_fn *draw;
    } streams[] = {
        {"Bernoulli 0.8 at the budget", draw_bernoulli},
        {"Beta(8, 2), mean at the budget", draw_beta},
        {"Bernoulli, level 0.80 .. 0.90", draw_wandering},
        {"AR(1) 0.8 at the budget (no promise)", draw_at_budget_dependent},
    };
    double promises[] = {1000, 10000};
    puts("evidence, budget 0.8:");
    for (int p = 0; p < 2; p++) {
        struct setting setting = {"evidence", "evidence", "budget=0.8", promises[p]};
        for (int s = 0; s < 4; s++)
            print_rate(streams[s].name, &setting,
                       measure(&setting, streams[s].draw, STREAMS, (uint64_t)promises[p] * 2 + 2000));
    }
}

static void part_known(void)
{
    static const struct setting known[] = {
        {"cusum, known", "cusum", "mean=0 sd=1", 1000},
        {"cusum down, known", "cusum", "mean=0 sd=1 direction=down", 10000},
        {"ewma, known", "ewma", "mean=0 sd=1", 1000},
        {"ewma down, known", "ewma", "mean=0 sd=1 direction=down", 10000},
        {"shewhart, known", "shewhart", "mean=0 sd=1", 1000},
    };
    puts("charts with known mean and deviation, independent normal values:");
    for (int i = 0; i < 5; i++)
        print_rate("N(0, 1)", &known[i], measure(&known[i], draw_normal, STREAMS, (uint64_t)known[i].events * 5));
}

static void part_estimated(void)
{
    static const struct setting estimated[] = {
        {"cusum, prewhitened, robust", "cusum", "prewhiten=true robust=true log=auto", 10000},
        {"ewma, prewhitened, robust", "ewma", "prewhiten=true robust=true log=auto", 10000},
        {"shewhart, prewhitened", "shewhart", "prewhiten=true robust=true log=auto", 10000},
    };
    static const struct setting plain[] = {
        {"cusum, plain", "cusum", "", 10000},
        {"ewma, plain", "ewma", "", 10000},
        {"shewhart, plain", "shewhart", "", 10000},
    };
    puts("charts with a reference of 500, judged from 100 on:");
    for (int i = 0; i < 3; i++) {
        print_rate("N(0, 1)", &plain[i], measure(&plain[i], draw_normal, STREAMS, 20000));
        print_rate("N(0, 1)", &estimated[i], measure(&estimated[i], draw_normal, STREAMS, 20000));
        print_rate("AR(1) 0.8", &estimated[i], measure(&estimated[i], draw_autoregressive, STREAMS, 20000));
        print_rate("AR(1) 0.8", &plain[i], measure(&plain[i], draw_autoregressive, STREAMS, 20000));
    }
}

/* Values from a change at `change` to the alarm, of streams without a false one before. */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_delay(const struct setting *setting, draw_fn *draw, double shift, uint64_t change)
{
    static double delays[STREAMS];
    struct detect_params params;
    uint32_t count = 0;
    configure(&params, setting);
    struct detect *detector = make(&params, setting);
    for (uint64_t stream = 0; stream < STREAMS; stream++) {
        struct source source = seeded(2, stream);
        detect_reset(detector);
        for (uint64_t i = 0; i < change + 5000; i++) {
            bool alarm = detect_add(detector, draw(&source, i) + (i >= change ? shift : 0)).state == DETECT_DRIFT;
            if (alarm && i < change)
                break;
            if (alarm || i + 1 == change + 5000) {
                delays[count++] = (double)(i - change + 1);
                break;
            }
        }
    }
    detect_destroy(&detector);
    qsort(delays, count, sizeof(delays[0]), by_value);
    return delays[count / 2];
}

/* The rule `mean of the last 64 < limit, 3 evaluations in a row`, which begins anew after its alarm. */
#define RULE_WINDOW 64
struct window_rule {
    double ring[RULE_WINDOW], sum, limit;
    uint32_t count, at, failures;
};

static bool window_rule_add(struct window_rule *self, double value)
{
    if (self->count == RULE_WINDOW)
        self->sum -= self->ring[self->at];
    else
        self->count++;
    self->ring[self->at] = value;
    self->at = (self->at + 1) % RULE_WINDOW;
    self->sum += value;
    bool failing = self->count >= 16 && self->sum / self->count < self->limit;
    self->failures = failing ? self->failures + 1 : 0;
    if (self->failures < 3)
        return false;
    *self = (struct window_rule){.limit = self->limit};
    return true;
}

static double window_rule_time(draw_fn *draw, double limit)
{
    double alarms = 0;
    for (uint64_t stream = 0; stream < 100; stream++) {
        struct source source = seeded(3, stream);
        struct window_rule rule = {.limit = limit};
        for (uint64_t i = 0; i < 30000; i++)
            alarms += window_rule_add(&rule, draw(&source, i));
    }
    return 100 * 30000 / fmax(alarms, 0.5);
}

static void window_rule_delay(const char *name, draw_fn *draw)
{
    double low = -2, high = 0;
    for (int step = 0; step < 14; step++) {
        double middle = 0.5 * (low + high);
        if (window_rule_time(draw, middle) > 10000)
            low = middle;
        else
            high = middle;
    }
    static double delays[STREAMS];
    for (uint64_t stream = 0; stream < STREAMS; stream++) {
        struct source source = seeded(2, stream);
        struct window_rule rule = {.limit = low};
        uint64_t i = 0;
        for (; i < 7000; i++)
            if (window_rule_add(&rule, draw(&source, i) - (i >= 2000 ? 1 : 0)) && i >= 2000)
                break;
        delays[stream] = (double)(i - 2000 + 1);
    }
    qsort(delays, STREAMS, sizeof(delays[0]), by_value);
    printf("  %-12s %-44s median delay %5.0f (mean of 64 below %.3f, 3 in a row; mean time %.0f)\n", name,
           "window rule", delays[STREAMS / 2], low, window_rule_time(draw, low));
    fflush(stdout);
}

static void part_delay(void)
{
    static const struct setting settings[] = {
        {"cusum down, known", "cusum", "mean=0 sd=1 direction=down", 10000},
        {"cusum down, reference of 500", "cusum", "direction=down", 10000},
        {"cusum down, robust, prewhitened", "cusum", "direction=down prewhiten=true robust=true log=auto", 10000},
        {"ewma down, robust, prewhitened", "ewma", "direction=down prewhiten=true robust=true log=auto", 10000},
    };
    puts("a fall of one standard deviation, one false alarm in 10,000 events:");
    for (int i = 0; i < 4; i++) {
        printf("  %-12s %-44s median delay %5.0f\n", "N(0, 1)", settings[i].name,
               median_delay(&settings[i], draw_normal, -1, 2000));
        fflush(stdout);
    }
    for (int i = 2; i < 4; i++) {
        printf("  %-12s %-44s median delay %5.0f\n", "AR(1) 0.8", settings[i].name,
               median_delay(&settings[i], draw_autoregressive, -1, 2000));
        fflush(stdout);
    }
    window_rule_delay("N(0, 1)", draw_normal);
    window_rule_delay("AR(1) 0.8", draw_autoregressive);
}

static void part_latency(void)
{
    static const struct setting settings[] = {
        {"cusum", "cusum", "direction=up prewhiten=true robust=true log=auto", 100000},
        {"cusum, both directions", "cusum", "prewhiten=true robust=true log=auto", 100000},
        {"ewma", "ewma", "direction=up prewhiten=true robust=true log=auto", 100000},
        {"shewhart", "shewhart", "direction=up prewhiten=true robust=true log=auto", 100000},
        {"psi", "psi", "", 100000},
        {"js", "js", "", 100000},
        {"chi2", "chi2", "", 100000},
        {"ks", "ks", "", 100000},
        {"wasserstein", "wasserstein", "", 100000},
        {"adwin, its defaults", "adwin", "", 0},
        {"page_hinkley, its defaults", "page_hinkley", "", 0},
    };
    double budget = 200 * 200000 / 100000.0;
    printf(
        "200 streams of 200,000 lognormal latencies, AR(1) 0.8, no change; 1 per 100000 events: budget %.0f, at most "
        "%.0f:\n",
        budget, budget + 3 * sqrt(budget));
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct rate rate = measure(&settings[i], draw_latency, 200, 200000);
        printf("  %-34s false alarms %.0f\n", settings[i].name, rate.alarms);
        fflush(stdout);
    }
}

static void part_robust(void)
{
    static const struct {
        const char *name;
        draw_fn *draw;
    } streams[] = {
        {"Student t, 5 degrees", draw_student},
        {"right 95 % of the time", draw_share_right},
        {"accuracy of batches of 32", draw_batch_accuracy},
        {"Beta(8, 2)", draw_beta},
    };
    static const struct setting settings[] = {
        {"cusum, prewhitened, robust", "cusum", "prewhiten=true robust=true log=auto", 10000},
        {"ewma, prewhitened, robust", "ewma", "prewhiten=true robust=true log=auto", 10000},
        {"cusum, plain", "cusum", "", 10000},
    };
    puts("streams that are not normal (no promise is made beyond what fits):");
    for (int s = 0; s < 4; s++)
        for (int i = 0; i < 3; i++)
            print_rate(streams[s].name, &settings[i], measure(&settings[i], streams[s].draw, 500, 20000));
}

static void part_distances(void)
{
    static const char *const names[] = {"psi", "js", "chi2", "ks", "wasserstein"};
    double promises[] = {10000, 100000, 1000000};
    puts("window distances, reference 500, window 200:");
    for (int p = 0; p < 3; p++) {
        for (int i = 0; i < 5; i++) {
            struct setting setting = {names[i], names[i], "", promises[p]};
            print_rate("N(0, 1)", &setting, measure(&setting, draw_normal, 500, 20500));
            if (p == 0)
                print_rate("AR(1) 0.8", &setting, measure(&setting, draw_autoregressive, 500, 20500));
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {
        {"evidence", part_evidence}, {"known", part_known},   {"estimated", part_estimated}, {"delay", part_delay},
        {"latency", part_latency},   {"robust", part_robust}, {"distances", part_distances},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        bool wanted = argc < 2;
        for (int a = 1; a < argc; a++)
            wanted = wanted || strcmp(argv[a], parts[i].name) == 0;
        if (wanted)
            parts[i].run();
    }
    return 0;
}
