/* With --replay: reads streams of events from standard input and prints what monitors decide, a line for each that asks
 * for one, so that an oracle in another language can be held against them (tests/line/test_monitor_oracle.py). Without:
 * tests itself.
 *
 *   settings WINDOW MIN_EVENTS FAILURES RECOVER BACKOFF_NS STALE_NS    a new monitor
 *   kpi METRIC OVER MIN|- MAX|-                                        one of its budgets
 *   live NS | ended NS | triggered NS                                  what its requests do
 *   event NOW_NS N TIMESTAMP_S|- [METRIC=VALUE]...                     prints the verdict, and a trigger's figures
 *   look NOW_NS                                                        prints the state and every window
 */
#include <stdlib.h>

#include "tests/story/story.h"

#define KPIS_MAX 16
#define TOKENS_MAX 80

struct replay {
    struct monitor_settings settings;
    struct kpi_budget kpis[KPIS_MAX];
    struct monitor *monitor; /* made by the first line that needs it */
    FILE *out;
};

static void malformed(const char *word)
{
    fprintf(stderr, "replay: cannot read \"%s\"\n", word);
    exit(64);
}

static double number_of(const char *word)
{
    char *end;
    double number = strtod(word, &end);
    if (end == word || *end)
        malformed(word);
    return number;
}

static double optional(const char *word)
{
    return strcmp(word, "-") == 0 ? NAN : number_of(word);
}

static int64_t ns_of(const char *word)
{
    return strtoll(word, NULL, 10);
}

static void settings_line(struct replay *self, char **word)
{
    monitor_destroy(&self->monitor);
    self->settings = (struct monitor_settings){
        .window = (uint32_t)ns_of(word[1]),
        .min_events = (uint64_t)ns_of(word[2]),
        .consecutive_failures = (uint32_t)ns_of(word[3]),
        .recover_after = (uint32_t)ns_of(word[4]),
        .backoff_ns = ns_of(word[5]),
        .stale_after_ns = ns_of(word[6]),
        .kpis = self->kpis,
    };
}

static void kpi_line(struct replay *self, char **word)
{
    struct kpi_budget *kpi = &self->kpis[self->settings.kpi_count++];
    snprintf(kpi->metric, sizeof kpi->metric, "%s", word[1]);
    if (window_stat_of(text_of(word[2]), &kpi->over) != 0)
        malformed(word[2]);
    kpi->min = optional(word[3]);
    kpi->max = optional(word[4]);
}

static void event_line(struct replay *self, char **word, uint32_t words)
{
    static const char *const evaluations[] = {"none", "healthy", "failing"};
    struct metric metrics[TOKENS_MAX];
    struct metric_event event = {.n = (uint64_t)ns_of(word[2]), .timestamp_s = optional(word[3]), .metrics = metrics};
    struct verdict v;
    const int64_t now_ns = ns_of(word[1]);
    for (uint32_t i = 4; i < words; i++) {
        char *equals = strchr(word[i], '=');
        if (!equals)
            malformed(word[i]);
        struct text name = {word[i], (size_t)(equals - word[i])};
        metrics[event.metric_count++] = (struct metric){name, METRIC_NUMBER, .number = number_of(equals + 1)};
    }
    if (monitor_add(self->monitor, &event, now_ns, STORY_EPOCH_S + (double)now_ns / 1e9, &v) != 0)
        malformed("no memory");
    fprintf(self->out, "%s %u %d%d%d%d %d", evaluations[v.evaluation], monitor_failures(self->monitor),
            v.violation_began, v.triggered, v.recovered, v.held, monitor_episode_open(self->monitor));
    if (v.triggered) {
        const struct trigger *t = monitor_trigger(self->monitor);
        fprintf(self->out, " %s %.17g %.17g %.17g %u %u %.6f %.6f %.6f %s", t->metric, t->observed, t->limit,
                t->severity, t->window, t->failures, t->change_at_s, t->window_start_s, t->window_end_s, t->rule);
    }
    fputc('\n', self->out);
}

static void look_line(struct replay *self, char **word)
{
    const int64_t now_ns = ns_of(word[1]);
    fprintf(self->out, "%s %lld", model_state_name(monitor_state(self->monitor, now_ns)),
            (long long)monitor_backoff_left_ns(self->monitor, now_ns));
    for (uint32_t i = 0; i < monitor_metric_count(self->monitor); i++) {
        const struct window *window = monitor_metric_window(self->monitor, i);
        fprintf(self->out, " %s %u %llu", monitor_metric_name(self->monitor, i), window_count(window),
                (unsigned long long)window_total(window));
        for (int stat = 0; stat < WINDOW_STATS; stat++)
            fprintf(self->out, " %.17g", window_get(window, (enum window_stat)stat));
    }
    fputc('\n', self->out);
}

static void line_of(struct replay *self, char *line)
{
    char *word[TOKENS_MAX + 1] = {0}, *rest = line;
    uint32_t words = 0;
    while (words < TOKENS_MAX && (word[words] = strsep(&rest, " \n")))
        words += word[words][0] != '\0';
    if (words == 0)
        return;
    const char *what = word[0];
    if (strcmp(what, "settings") == 0 && words == 7) {
        settings_line(self, word);
        return;
    }
    if (strcmp(what, "kpi") == 0 && words == 5 && self->settings.kpi_count < KPIS_MAX) {
        kpi_line(self, word);
        return;
    }
    if (!self->monitor && monitor_new(&self->monitor, &self->settings) != 0)
        malformed("settings");
    if (strcmp(what, "event") == 0 && words >= 4)
        event_line(self, word, words);
    else if (strcmp(what, "look") == 0 && words == 2)
        look_line(self, word);
    else if (strcmp(what, "triggered") == 0 && words == 2)
        monitor_triggered_at(self->monitor, ns_of(word[1]));
    else if ((strcmp(what, "live") == 0 || strcmp(what, "ended") == 0) && words == 2)
        monitor_request_live(self->monitor, what[0] == 'l', ns_of(word[1]));
    else
        malformed(what);
}

static void replay(FILE *in, FILE *out)
{
    struct replay self = {.out = out};
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, in) > 0)
        line_of(&self, line);
    free(line);
    monitor_destroy(&self.monitor);
}

START_TEST(a_stream_is_replayed)
{
    char stream[] = "settings 4 1 2 3 1000 5000\n"
                    "kpi accuracy mean 0.75 -\n"
                    "event 0 1 - accuracy=0.5 own=3\n"
                    "event 1000 1 1763999000.25 accuracy=0.25\n"
                    "live 1001\n"
                    "look 1500\n"
                    "ended 2000\n"
                    "look 2500\n"
                    "settings 1 1 1 1 0 0\n"
                    "look 0\n"
                    "event 0 1 -\n";
    static const char expected[] =
        "failing 1 1000 0\n"
        "failing 0 0100 1 accuracy 0.375 0.75 0.5 2 2 1764000000.000000 1764000000.000000 1763999000.250000 "
        "accuracy mean < 0.75\n"
        "retraining 500 accuracy 2 2 0.25 0.375 0.25 0.5 0.25 0.5 0.5 0.5 0.40000000000000002 "
        "own 1 1 3 3 3 3 3 3 3 3 3\n"
        "drifting 500 accuracy 2 2 0.25 0.375 0.25 0.5 0.25 0.5 0.5 0.5 0.40000000000000002 "
        "own 1 1 3 3 3 3 3 3 3 3 3\n"
        "warming 0\n"
        "none 0 0000 0\n";
    char *printed;
    size_t bytes;
    FILE *in = fmemopen(stream, strlen(stream), "r"), *out = open_memstream(&printed, &bytes);
    replay(in, out);
    fclose(in);
    fclose(out);
    ck_assert_str_eq(printed, expected);
    free(printed);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--replay") == 0) {
        replay(stdin, stdout);
        return 0;
    }
    Suite *suite = suite_create("monitor_replay");
    TCase *tcase = tcase_create("monitor_replay");
    tcase_add_test(tcase, a_stream_is_replayed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
