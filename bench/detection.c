/* Which detector for what: for one false alarm in 10,000 values, how often each detector really cries wolf on a healthy
 * stream, and how soon it sees a change. Rules that can promise a rate are asked to; the others run with their defaults,
 * and once more with their threshold tuned, on the healthy stream, to the same rate: what nobody has in practice.
 *
 * detection                  prints a line for each stream and detector, tab-separated (detection_report.py draws it)
 * detection FILE [CHANGE]    the same detectors over recorded numbers, one a line: alarms, and the first one from line
 *                            CHANGE (from 0) on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/streams.h"
#include "lib/detect/detect.h"

#define PROMISE 10000.0
#define CHANGE 2000     /* values before it */
#define PATIENCE 4000   /* values after it */
#define DELAY_STREAMS 200
#define HEALTHY_STREAMS 25
#define HEALTHY_VALUES 20000
#define TUNE_STEPS 12

/* What happens -------------------------------------------------------------------------------------------------- */

typedef double draw_fn(struct stream *stream, int64_t since); /* `since` the change; negative: before */

static double abrupt(struct stream *stream, int64_t since)
{
    return stream_normal(stream) - (since >= 0 ? 1 : 0);
}

static double gradual(struct stream *stream, int64_t since)
{
    return stream_normal(stream) - (since < 0 ? 0 : 2 * fmin(1, (double)since / 1000));
}

static double scatter(struct stream *stream, int64_t since)
{
    return stream_normal(stream) * (since >= 0 ? 2 : 1);
}

static double answers(struct stream *stream, int64_t since)
{
    return stream_uniform(stream) < (since >= 0 ? 0.85 : 0.95);
}

static double dependent(struct stream *stream, int64_t since)
{
    return stream_autoregressive(stream, 0.8) - (since >= 0 ? 1 : 0);
}

static double latency(struct stream *stream, int64_t since)
{
    return 80 * exp(0.4 * stream_autoregressive(stream, 0.8)) * (since >= 0 ? 1.5 : 1);
}

struct scene {
    const char *name, *direction;
    draw_fn *draw;
    bool errors; /* values are answers, right or wrong */
};

static const struct scene scenes[] = {
    {"normal, falls by 1 sd", "down", abrupt, false},
    {"normal, falls by 2 sd in 1,000", "down", gradual, false},
    {"normal, scatters twice as much", "both", scatter, false},
    {"answers, 95 % to 85 % right", "down", answers, true},
    {"AR(1) 0.8, falls by 1 sd", "down", dependent, false},
    {"latency, AR(1) 0.8, half as long again", "up", latency, false},
};

/* Who looks ------------------------------------------------------------------------------------------------------- */

struct candidate {
    const char *detector, *options; /* "window": the rule of budgets */
    bool promises, errors;          /* `errors`: for streams of errors alone, and fed with them */
    const char *knob;               /* tuned to the promise; NULL: none */
    double loose, strict;
};

#define FITTED "prewhiten=true robust=true log=auto"
static const struct candidate candidates[] = {
    {"window", "", false, false, "limit", 0, 0},
    {"evidence", "budget=0.9", true, true, NULL, 0, 0},
    {"cusum", FITTED, true, false, NULL, 0, 0},
    {"ewma", FITTED, true, false, NULL, 0, 0},
    {"shewhart", FITTED, true, false, NULL, 0, 0},
    {"page_hinkley", "", false, false, "threshold", 1, 5000},
    {"adwin", "", false, false, "delta", 0.5, 1e-30},
    {"kswin", "", false, false, "alpha", 0.05, 1e-12},
    {"ddm", "", false, true, "drift_threshold", 1.5, 15},
    {"eddm", "", false, true, "beta", 0.95, 0.3},
    {"hddm_a", "", false, true, "drift_confidence", 0.1, 1e-20},
    {"hddm_w", "", false, true, "drift_confidence", 0.1, 1e-20},
    {"psi", "", true, false, NULL, 0, 0},
    {"js", "", true, false, NULL, 0, 0},
    {"chi2", "", true, false, NULL, 0, 0},
    {"ks", "", true, false, NULL, 0, 0},
    {"wasserstein", "", true, false, NULL, 0, 0},
};
#define CANDIDATES (sizeof(candidates) / sizeof(candidates[0]))

static bool is(const struct candidate *candidate, const char *detector)
{
    return strcmp(candidate->detector, detector) == 0;
}

/* The mean of the last 64 values beyond a limit, three times in a row. */
#define WINDOW 64
struct window_rule {
    double ring[WINDOW], sum, limit, sign;
    uint32_t count, at, failures;
};

static bool window_add(struct window_rule *self, double value)
{
    if (self->count == WINDOW)
        self->sum -= self->ring[self->at];
    else
        self->count++;
    self->ring[self->at] = value;
    self->at = (self->at + 1) % WINDOW;
    self->sum += value;
    bool failing = self->count >= 16 && self->sign * (self->sum / self->count - self->limit) > 0;
    self->failures = failing ? self->failures + 1 : 0;
    return self->failures >= 3;
}

struct looker {
    const struct candidate *candidate;
    struct detect *detect; /* NULL: the window rule */
    struct window_rule window;
};

static void looker_reset(struct looker *self)
{
    if (self->detect)
        detect_reset(self->detect);
    else
        self->window = (struct window_rule){.limit = self->window.limit, .sign = self->window.sign};
}

static bool looker_add(struct looker *self, double value)
{
    if (self->detect)
        return detect_add(self->detect, self->candidate->errors && !is(self->candidate, "evidence") ? 1 - value : value)
                   .state == DETECT_DRIFT;
    if (!window_add(&self->window, value))
        return false;
    looker_reset(self);
    return true;
}

/* `knob` NAN: as it is. */
static void looker_open(struct looker *self, const struct candidate *candidate, const struct scene *scene, double knob)
{
    struct detect_params params;
    struct detect_error error = {.text = ""};
    char copy[128], *save = NULL;
    *self = (struct looker){.candidate = candidate};
    if (is(candidate, "window")) {
        self->window.sign = strcmp(scene->direction, "up") == 0 ? 1 : -1;
        self->window.limit = knob;
        return;
    }
    int failed = detect_params_init(&params, candidate->detector, &error);
    snprintf(copy, sizeof(copy), "%s", candidate->options);
    for (char *word = strtok_r(copy, " ", &save); word && !failed; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        failed = detect_params_set_text(&params, word, text_of(equals + 1), &error);
    }
    if (!is(candidate, "evidence")) /* others have no direction, which is no failure */
        detect_params_set_text(&params, "direction", text_of(scene->direction), NULL);
    if (!failed && !isnan(knob))
        failed = detect_params_set(&params, candidate->knob, knob, &error);
    if (!failed && candidate->promises)
        failed = detect_params_promise(&params, PROMISE, &error);
    if (failed || detect_new(&self->detect, candidate->detector, &params) != 0) {
        fprintf(stderr, "%s: %s\n", candidate->detector, error.text);
        exit(1);
    }
}

/* Measuring ------------------------------------------------------------------------------------------------------- */

/* Values for each alarm on healthy streams. */
static double healthy_time(struct looker *looker, const struct scene *scene)
{
    double alarms = 0;
    for (uint64_t number = 0; number < HEALTHY_STREAMS; number++) {
        struct stream stream = stream_seeded(1, number);
        looker_reset(looker);
        for (int i = 0; i < HEALTHY_VALUES; i++)
            alarms += looker_add(looker, scene->draw(&stream, -1));
    }
    return HEALTHY_STREAMS * (double)HEALTHY_VALUES / fmax(alarms, 0.5);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of the values from the change to the alarm, INFINITY where it mostly is not found. */
static double median_delay(struct looker *looker, const struct scene *scene)
{
    static double delays[DELAY_STREAMS];
    for (uint64_t number = 0; number < DELAY_STREAMS; number++) {
        struct stream stream = stream_seeded(2, number);
        looker_reset(looker);
        delays[number] = INFINITY;
        /* Distances look once a window: the change comes anywhere in it. */
        const int64_t change = CHANGE + (int64_t)number % 200;
        for (int64_t i = 0; i < change + PATIENCE; i++)
            if (looker_add(looker, scene->draw(&stream, i - change)) && i >= change) {
                delays[number] = (double)(i - change + 1);
                break;
            }
    }
    qsort(delays, DELAY_STREAMS, sizeof(delays[0]), by_value);
    return delays[DELAY_STREAMS / 2];
}

static double knob_between(const struct candidate *candidate, const struct scene *scene, double part)
{
    if (!is(candidate, "window"))
        return candidate->loose * pow(candidate->strict / candidate->loose, part);
    struct stream stream = stream_seeded(1, 0);
    double mean = 0, squares = 0;
    for (int i = 0; i < HEALTHY_VALUES; i++) {
        double value = scene->draw(&stream, -1);
        mean += value / HEALTHY_VALUES;
        squares += value * value / HEALTHY_VALUES;
    }
    double sign = strcmp(scene->direction, "up") == 0 ? 1 : -1;
    return mean + sign * part * 3 * sqrt(squares - mean * mean);
}

/* The loosest knob that keeps the promise; NAN: none does. */
static double tuned(const struct candidate *candidate, const struct scene *scene)
{
    double low = 0, high = 1;
    struct looker looker;
    for (int step = 0; step < TUNE_STEPS; step++) {
        double middle = step == 0 ? 1 : 0.5 * (low + high);
        looker_open(&looker, candidate, scene, knob_between(candidate, scene, middle));
        bool keeps = healthy_time(&looker, scene) >= PROMISE;
        detect_destroy(&looker.detect);
        if (step == 0 && !keeps)
            return NAN;
        if (keeps)
            high = middle;
        else
            low = middle;
    }
    return knob_between(candidate, scene, high);
}

static void measure(const struct candidate *candidate, const struct scene *scene)
{
    double knob = candidate->knob ? tuned(candidate, scene) : (double)NAN, time = NAN, delay = NAN;
    struct looker looker;
    if (!is(candidate, "window")) {
        looker_open(&looker, candidate, scene, NAN);
        time = healthy_time(&looker, scene);
        delay = median_delay(&looker, scene);
        detect_destroy(&looker.detect);
    }
    printf("%s\t%s\t%s\t%.0f\t%.0f", scene->name, candidate->detector, candidate->promises ? "promised" : "default", time,
           delay);
    if (!isnan(knob)) {
        looker_open(&looker, candidate, scene, knob);
        time = healthy_time(&looker, scene);
        printf("\t%s=%.3g\t%.0f\t%.0f\n", candidate->knob, knob, time, median_delay(&looker, scene));
        detect_destroy(&looker.detect);
    } else {
        printf("\t-\tnan\tnan\n");
    }
    fflush(stdout);
}

/* Recorded numbers ------------------------------------------------------------------------------------------------ */

static void over_file(const char *path, uint64_t change)
{
    static const struct scene any = {"", "both", abrupt, false};
    FILE *file = fopen(path, "r");
    double *values = NULL, value;
    size_t count = 0, room = 0;
    bool errors = true;
    if (!file) {
        perror(path);
        exit(1);
    }
    while (fscanf(file, "%lf", &value) == 1) {
        double *more = count == room ? realloc(values, (room = room ? 2 * room : 4096) * sizeof(*values)) : values;
        if (!more)
            exit(1);
        values = more;
        values[count++] = value;
        errors = errors && value >= 0 && value <= 1;
    }
    fclose(file);
    for (size_t c = 0; c < CANDIDATES; c++) {
        const struct candidate *candidate = &candidates[c];
        struct looker looker;
        uint64_t alarms = 0, first = UINT64_MAX;
        if (is(candidate, "window") || is(candidate, "evidence") || (candidate->errors && !errors))
            continue;
        looker_open(&looker, candidate, &any, NAN);
        for (size_t i = 0; i < count; i++) {
            if (!looker_add(&looker, values[i]))
                continue;
            alarms += i < change;
            first = i >= change && first == UINT64_MAX ? i : first;
        }
        detect_destroy(&looker.detect);
        printf("%-13s %5llu alarms in %zu values", candidate->detector, (unsigned long long)alarms,
               change < count ? (size_t)change : count);
        if (first != UINT64_MAX)
            printf(", then the first after %llu", (unsigned long long)(first - change));
        putchar('\n');
    }
    free(values);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        over_file(argv[1], argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX);
        return 0;
    }
    puts("stream\tdetector\tas\tvalues to a false alarm\tmedian delay\ttuned\tvalues to a false alarm\tmedian delay");
    for (size_t s = 0; s < sizeof(scenes) / sizeof(scenes[0]); s++)
        for (size_t c = 0; c < CANDIDATES; c++)
            if (!candidates[c].errors || scenes[s].errors)
                measure(&candidates[c], &scenes[s]);
    return 0;
}
