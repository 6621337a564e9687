#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/kpi.h"
#include "cli/member.h"
#include "cli/models.h"
#include "cli/say.h"
#include "cli/state.h"
#include "cli/table.h"

static const struct column columns[] = {
    {"MODEL", COLUMN_GIVES_WAY},
    {"STATE", 0},
    {"FAILS", COLUMN_NUMBER},
    {"EPISODE", COLUMN_NUMBER | COLUMN_OPTIONAL},
    {"BACK-OFF", COLUMN_NUMBER | COLUMN_OPTIONAL},
    {"BUDGETS", COLUMN_GIVES_WAY | COLUMN_OPTIONAL},
    {0},
};

struct row {
    const json_t *model;
};

/* Who needs somebody first; then who fails more; then by name. */
static int compare(const void *a_p, const void *b_p)
{
    const json_t *a = ((const struct row *)a_p)->model, *b = ((const struct row *)b_p)->model;
    unsigned rank_a = state_rank(member_text(a, "state")), rank_b = state_rank(member_text(b, "state"));
    if (rank_a != rank_b)
        return rank_a < rank_b ? -1 : 1;
    int64_t failures_a = member_count(a, "failures"), failures_b = member_count(b, "failures");
    if (failures_a != failures_b)
        return failures_a > failures_b ? -1 : 1;
    struct text name_a = member_text(a, "model"), name_b = member_text(b, "model");
    int order = memcmp(name_a.at, name_b.at, name_a.len < name_b.len ? name_a.len : name_b.len);
    return order ? order : (name_a.len > name_b.len) - (name_a.len < name_b.len);
}

static void add_budgets(struct table *table, const json_t *kpis)
{
    char *text = NULL;
    size_t size, index;
    const json_t *kpi;
    unsigned violated = 0, shown = 0;
    FILE *out = must(open_memstream(&text, &size));
    for (int held = 0; held < 2; held++) { /* those that are violated first */
        json_array_foreach(kpis, index, kpi)
        {
            if (member_true(kpi, "violated") == (bool)held)
                continue;
            fputs(shown++ ? ", " : "", out);
            kpi_put(out, kpi);
            violated += !held;
        }
    }
    fclose(out);
    table_text(table, violated ? RED : PLAIN, (struct text){.at = must(text), .len = size});
    free(text);
}

static void add_row(struct table *table, const json_t *model)
{
    struct text state = member_text(model, "state");
    int64_t failures = member_count(model, "failures"), episode = member_count(model, "episode");
    double backoff_s = member_number(model, "backoff_left_s", 0);
    table_row(table);
    table_text(table, PLAIN, member_text(model, "model"));
    table_text(table, state_colour(state), state);
    table_cell(table, failures ? RED : PLAIN, "%s", figure_count(failures).text);
    table_cell(table, PLAIN, "%s", episode ? figure_count(episode).text : "-");
    table_cell(table, PLAIN, "%s", backoff_s > 0 ? figure_span(backoff_s).text : "-");
    add_budgets(table, json_object_get(model, "kpis"));
}

void models_table(const json_t *models)
{
    size_t count = json_array_size(models);
    struct row *sorted = must(calloc(count, sizeof *sorted));
    struct table *table;
    for (size_t i = 0; i < count; i++)
        sorted[i].model = json_array_get(models, i);
    qsort(sorted, count, sizeof *sorted, compare);
    table_new(&table, columns);
    for (size_t i = 0; i < count; i++)
        add_row(table, sorted[i].model);
    table_print(table);
    table_destroy(&table);
    free(sorted);
}

/* What is asked for. */
struct wanted {
    const char *pattern, *state; /* NULL: any */
    double most;
};

static json_t *question_of(const struct wanted *wanted, const char *state, size_t most)
{
    json_t *question = must(json_pack("{s:s, s:I}", "do", "models", "limit", (json_int_t)most));
    if (wanted->pattern)
        json_object_set_new(question, "pattern", json_string(wanted->pattern));
    if (state)
        json_object_set_new(question, "state", json_string(state));
    return question;
}

/* Adds those in `state` to `models`, answer by answer: the daemon ends one where it has become long, and says where to go on. */
static int gather_state(const struct common *common, const struct wanted *wanted, const char *state, json_t *models)
{
    json_t *answer = NULL, *next = NULL;
    do {
        json_t *question = question_of(wanted, state, (size_t)wanted->most - json_array_size(models));
        json_object_set_new(question, "sort", json_string("name"));
        if (next)
            json_object_set(question, "after", next);
        json_decref(answer);
        int status = control_get(common, question, &answer);
        if (status)
            return status;
        json_array_extend(models, json_object_get(answer, "models"));
        next = json_object_get(answer, "next");
    } while (json_is_string(next) && json_array_size(models) < (size_t)wanted->most);
    json_decref(answer);
    return 0;
}

/* Where there are more than shall be shown, the daemon gives the first by name. Who needs somebody must be among them
 * all the same: so they are asked for state by state. */
static int gather(const struct common *common, const struct wanted *wanted, json_t **models_p)
{
    *models_p = must(json_array());
    for (const char *const *state = model_states; *state; state++) {
        size_t have = json_array_size(*models_p);
        if (have >= (size_t)wanted->most)
            break;
        if (wanted->state && strcmp(wanted->state, *state) != 0)
            continue;
        int status = gather_state(common, wanted, *state, *models_p);
        if (status)
            return status;
    }
    return 0;
}

int models_gather(const struct common *common, const char *pattern, size_t most, json_t **models_p)
{
    const struct wanted wanted = {.pattern = pattern, .most = (double)most};
    return gather(common, &wanted, models_p);
}

static int show_all(const struct common *common, const struct wanted *wanted)
{
    json_t *answer, *models;
    int status = control_get(common, question_of(wanted, wanted->state, (size_t)wanted->most), &answer);
    if (status)
        return status;
    int64_t left_out = member_count(answer, "left_out");
    models = json_incref(json_object_get(answer, "models"));
    size_t shown = json_array_size(models);
    if (left_out > 0 && (!wanted->state || shown < (size_t)wanted->most)) {
        json_decref(models);
        status = gather(common, wanted, &models);
        left_out += (int64_t)shown - (int64_t)json_array_size(models);
    }
    if (status == 0 && json_array_size(models) == 0)
        printf(wanted->pattern || wanted->state ? "No model matches.\n" : "No model has been heard of yet.\n");
    else if (status == 0)
        models_table(models);
    if (status == 0 && left_out > 0)
        printf("%s more are not shown: --limit, --state or a pattern\n", figure_count(left_out).text);
    json_decref(models);
    json_decref(answer);
    return status;
}

enum { KEY_STATE = 'S', KEY_LIMIT = 'l' };

static const char *option(void *input, int key, const char *value)
{
    struct wanted *wanted = input;
    if (key == KEY_LIMIT)
        return option_number(value, 1, 100000, &wanted->most) ? NULL : "a number from 1 to 100000";
    for (const char *const *state = model_states; *state; state++) {
        if (strcmp(*state, value) == 0)
            wanted->state = *state;
    }
    return wanted->state ? NULL : "warming, healthy, failing, drifting, retraining, stale, silenced or unrecoverable";
}

int models_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"state", KEY_STATE, "STATE", 0, "Only those: failing, drifting, retraining, ...", 0},
        {"limit", KEY_LIMIT, "N", 0, "At most so many (1000)", 0},
        {0}};
    struct wanted wanted = {.most = 1000};
    struct arguments arguments = {.options = options, .option = option, .input = &wanted, .most = 1};
    const char *why;
    command_arguments(self, common, argc, argv, &arguments);
    wanted.pattern = arguments.count ? arguments.words[0] : NULL;
    if (wanted.pattern && model_pattern_check(text_of(wanted.pattern), &why) < 0)
        say_and_end(EX_USAGE, "'%s' is no pattern: %s", wanted.pattern, why);
    if (common->json)
        return control_ask(common, question_of(&wanted, wanted.state, (size_t)wanted.most), NULL, NULL);
    return show_all(common, &wanted);
}
