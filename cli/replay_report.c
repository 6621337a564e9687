#include "cli/replay_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/figure.h"
#include "cli/say.h"
#include "cli/table.h"
#include "cli/visible.h"
#include "lib/wire/json_write.h"

struct replay_report {
    const char *config;
    int files;
    struct table *table;
    struct json_write json; /* the list of triggers so far */
};

static const struct column columns[] = {{"TIME", COLUMN_TEXT},
                                        {"MODEL", COLUMN_GIVES_WAY},
                                        {"LINE", COLUMN_NUMBER},
                                        {"RULE", COLUMN_TEXT},
                                        {"OBSERVED", COLUMN_NUMBER},
                                        {"LIMIT", COLUMN_NUMBER},
                                        {"BEGAN", COLUMN_OPTIONAL},
                                        {"AND THEN", COLUMN_WRAPS},
                                        {0}};

void replay_report_new(struct replay_report **self_p, const char *config, int files)
{
    struct replay_report *self = must(calloc(1, sizeof *self));
    self->config = config;
    self->files = files;
    table_new(&self->table, columns);
    json_write_bracket(&self->json, '[');
    *self_p = self;
}

static void add_json(struct replay_report *self, const char *file, uint64_t line,
                     const struct backtest_trigger *trigger)
{
    struct json_write *out = &self->json;
    json_write_bracket(out, '{');
    if (self->files > 1) {
        json_write_key(out, "file");
        json_write_string(out, file);
    }
    json_write_key(out, "line");
    json_write_integer(out, (int64_t)line);
    json_write_key(out, "time");
    json_write_number(out, trigger->time_s);
    json_write_key(out, "model");
    json_write_string(out, trigger->model);
    json_write_key(out, "rule");
    json_write_string(out, trigger->figures->rule);
    json_write_key(out, "metric");
    json_write_string(out, trigger->figures->metric);
    json_write_key(out, "observed");
    json_write_measure(out, trigger->figures->observed);
    json_write_key(out, "limit");
    json_write_measure(out, trigger->figures->limit);
    json_write_bracket(out, '}');
}

/* "false alarm; retraining by grid_search, 8 GPU-hours". */
static void say_fate(struct replay_report *self, const struct backtest_trigger *trigger)
{
    const char *mark = trigger->labelled ? "true change; " : "";
    switch (trigger->fate) {
    case BACKTEST_REQUESTED:
        table_cell(self->table, PLAIN, "%sretraining by %s, %s GPU-hours", mark, trigger->strategy,
                   figure_value(trigger->gpu_hours).text);
        break;
    case BACKTEST_JOINED:
        table_cell(self->table, DIM, "%sno new request: one is under way", mark);
        break;
    case BACKTEST_GIVEN_UP:
        table_cell(self->table, DIM, "%sno request: retraining was given up (give_up_after)", mark);
        break;
    case BACKTEST_FATES:
        break;
    }
}

void replay_report_trigger(struct replay_report *self, const char *file, uint64_t line,
                           const struct backtest_trigger *trigger)
{
    add_json(self, file, line, trigger);
    table_row(self->table);
    table_cell(self->table, PLAIN, "%s", figure_time(trigger->time_s).text);
    table_text(self->table, BOLD, text_of(trigger->model));
    if (self->files > 1)
        table_cell(self->table, PLAIN, "%s:%" PRIu64, file, line);
    else
        table_cell(self->table, PLAIN, "%" PRIu64, line);
    table_text(self->table, PLAIN, text_of(trigger->figures->rule));
    table_cell(self->table, RED, "%s", figure_value(trigger->figures->observed).text);
    table_cell(self->table, PLAIN, "%s", figure_value(trigger->figures->limit).text);
    table_cell(self->table, DIM, "%s", figure_time(trigger->figures->change_at_s).text);
    say_fate(self, trigger);
}

void replay_report_correct(struct replay_report *self, const struct backtest_trigger *trigger)
{
    table_amend(self->table, trigger->number);
    say_fate(self, trigger);
}

/* -- for people ------------------------------------------------------------------------------------------------------ */

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static struct figure count_of(uint64_t count)
{
    return figure_count((int64_t)count);
}

static void show_events(const struct replay_report *self, const struct backtest_sums *sums)
{
    printf("Replayed %s event%s of %s model%s under %s", count_of(sums->events).text, plural(sums->events),
           count_of(sums->models).text, plural(sums->models), self->config);
    if (!isnan(sums->first_s))
        printf(": %s to %s, %s", figure_time(sums->first_s).text, figure_time(sums->last_s).text,
               figure_span(sums->last_s - sums->first_s).text);
    putchar('\n');
}

static void show_triggers(const struct backtest_sums *sums)
{
    printf("\nTriggers: %s; %s asked for a retraining, %s GPU-hours in all", count_of(sums->triggers).text,
           count_of(sums->fates[BACKTEST_REQUESTED]).text, figure_value(sums->gpu_hours).text);
    if (sums->fates[BACKTEST_JOINED])
        printf("; %s came while a request was under way", count_of(sums->fates[BACKTEST_JOINED]).text);
    if (sums->fates[BACKTEST_GIVEN_UP])
        printf("; %s came after retraining was given up", count_of(sums->fates[BACKTEST_GIVEN_UP]).text);
    putchar('\n');
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* "delays of 14, 20 and 31 events (median 20)"; of many the median and the ends alone. */
static void show_delays(const struct backtest *backtest, uint64_t found)
{
    uint64_t *delays = must(calloc(found + 1, sizeof *delays));
    for (uint64_t i = 0; i < found; i++)
        delays[i] = backtest_delay(backtest, i);
    qsort(delays, found, sizeof *delays, by_size);
    if (found == 1)
        printf("; after %s event%s", count_of(delays[0]).text, plural(delays[0]));
    else if (found > 1)
        printf("; after %s events in the median (%s to %s)", count_of(delays[(found - 1) / 2]).text,
               count_of(delays[0]).text, count_of(delays[found - 1]).text);
    free(delays);
}

static void show_rate(uint64_t alarms, const struct backtest_sums *sums)
{
    if (alarms && sums->watched_s > 0)
        printf(", one in %s of a model", figure_span(sums->watched_s / (double)alarms).text);
    else if (sums->watched_s > 0)
        printf(" in %s of a model", figure_span(sums->watched_s).text);
}

static void show_labels(const struct backtest *backtest, const struct backtest_sums *sums)
{
    if (sums->labels == 0) {
        printf("No true changes are labelled (--labels): if there was none, each of them was a false alarm");
        show_rate(sums->false_alarms, sums);
        putchar('\n');
        return;
    }
    printf("True changes: %s found, %s missed", count_of(sums->found).text, count_of(sums->missed).text);
    show_delays(backtest, sums->found);
    printf("\nFalse alarms: %s", count_of(sums->false_alarms).text);
    show_rate(sums->false_alarms, sums);
    putchar('\n');
    if (sums->blind)
        printf("Missed because their model sent nothing then (is its name right?): %s\n", count_of(sums->blind).text);
}

static void show_drops(const struct backtest_sums *sums)
{
    uint64_t all = 0;
    for (int i = 0; i < DROP_REASONS; i++)
        all += sums->dropped[i];
    if (all == 0)
        return;
    printf("Dropped, as the daemon would:");
    for (int i = 0; i < DROP_REASONS; i++)
        if (sums->dropped[i])
            printf(" %s %s", metric_drop_name((enum metric_drop)i), count_of(sums->dropped[i]).text);
    putchar('\n');
}

static void show_recording(const struct backtest_sums *sums)
{
    static const char *const words = "so that the daemon may have decided otherwise";
    if (sums->timeless)
        printf("Events without a time: %s; the clock stood still for them, and back-off with it\n",
               count_of(sums->timeless).text);
    if (sums->back)
        printf("Events older than the one before: %s; the clock does not go back\n", count_of(sums->back).text);
    if (sums->late)
        printf("Models whose first events were not recorded: %s, %s\n", count_of(sums->late).text, words);
    if (sums->missing)
        printf("Events that were not recorded: %s, %s\n", count_of(sums->missing).text, words);
    if (sums->rewound)
        printf("Monitors that a crash threw back: %s, %s\n", count_of(sums->rewound).text, words);
    if (sums->restarted)
        printf("Monitors that began anew, as in the daemon: %s\n", count_of(sums->restarted).text);
    if (sums->followed)
        printf("Requests whose recorded life was followed: %s\n", count_of(sums->followed).text);
    if (sums->foreign)
        printf("Recorded requests that this configuration did not ask for, passed over: %s\n",
               count_of(sums->foreign).text);
}

void replay_report_show(const struct replay_report *self, const struct backtest *backtest)
{
    struct backtest_sums sums;
    backtest_sums(backtest, &sums);
    show_events(self, &sums);
    if (sums.triggers)
        putchar('\n');
    table_print(self->table);
    show_triggers(&sums);
    if (sums.triggers || sums.labels)
        show_labels(backtest, &sums);
    show_drops(&sums);
    show_recording(&sums);
}

/* -- for programs ---------------------------------------------------------------------------------------------------- */

static void put_count(struct json_write *out, const char *key, uint64_t count)
{
    json_write_key(out, key);
    json_write_integer(out, (int64_t)count);
}

/* Members beyond those that always stand: only where there is something to tell. */
static void put_rest(struct json_write *out, const struct backtest_sums *sums)
{
    bool any = false;
    for (int i = 0; i < DROP_REASONS; i++)
        any = any || sums->dropped[i];
    if (any) {
        json_write_key(out, "dropped");
        json_write_bracket(out, '{');
        for (int i = 0; i < DROP_REASONS; i++)
            if (sums->dropped[i])
                put_count(out, metric_drop_name((enum metric_drop)i), sums->dropped[i]);
        json_write_bracket(out, '}');
    }
    if (sums->missing)
        put_count(out, "missing", sums->missing);
    if (sums->timeless)
        put_count(out, "without_time", sums->timeless);
    if (sums->blind)
        put_count(out, "labels_without_events", sums->blind);
}

void replay_report_show_json(const struct replay_report *self, const struct backtest *backtest)
{
    struct backtest_sums sums;
    struct json_write out = {.at = NULL};
    backtest_sums(backtest, &sums);
    json_write_bracket(&out, '{');
    put_count(&out, "events", sums.events);
    json_write_key(&out, "triggers");
    json_write_raw(&out, (struct text){.at = self->json.at, .len = self->json.len});
    json_write_bracket(&out, ']');
    put_count(&out, "false_alarms", sums.false_alarms);
    put_count(&out, "misses", sums.missed);
    json_write_key(&out, "delays");
    json_write_bracket(&out, '[');
    for (uint64_t i = 0; i < sums.found; i++)
        json_write_integer(&out, (int64_t)backtest_delay(backtest, i));
    json_write_bracket(&out, ']');
    json_write_key(&out, "gpu_hours");
    json_write_number(&out, sums.gpu_hours);
    put_rest(&out, &sums);
    json_write_bracket(&out, '}');
    if (self->json.failed)
        must(NULL);
    char *text = must(json_write_take(&out));
    visible_put_json(stdout, text_of(text));
    putchar('\n');
    free(text);
}

void replay_report_destroy(struct replay_report **self_p)
{
    if (!*self_p)
        return;
    table_destroy(&(*self_p)->table);
    free((*self_p)->json.at);
    free(*self_p);
    *self_p = NULL;
}
