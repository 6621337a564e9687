/* Readers of what the statistics need: rates of false alarms, rates of events, ranges, rules. */
#include "lib/config/read.h"

#include <string.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "lib/config/scalar.h"

#define PERIOD_MOST_S (3650.0 * 86400)
#define EVENTS_MOST 1e12
#define ALARMS_MOST 1e9
#define RATE_MOST 1e9

static bool refuse(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown)
{
    char quoted[MISTAKES_QUOTE_MAX];
    return read_refuse(self, row, node, shown, "\"%s\" cannot stand here", mistakes_quote(node->written, quoted));
}

/* Cuts `text` behind its first blank or at its end; blanks around are skipped. */
static struct text next_word(struct text *rest)
{
    while (rest->len > 0 && *rest->at == ' ')
        rest->at++, rest->len--;
    struct text word = {.at = rest->at, .len = 0};
    while (word.len < rest->len && word.at[word.len] != ' ')
        word.len++;
    rest->at += word.len;
    rest->len -= word.len;
    return word;
}

/* "1 per 30d", "2 per 100000 events". */
bool read_alarms(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 const struct target *into)
{
    struct alarm_budget alarms = {0};
    double alarmed = 0, events = 0;
    int64_t period_ns = 0;
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return false;
    struct text rest = node->text;
    const struct text count = next_word(&rest), per = next_word(&rest), amount = next_word(&rest);
    const struct text unit = next_word(&rest);
    if (next_word(&rest).len > 0 || !text_is(per, "per") || scalar_number(count, &alarmed) != 0)
        return refuse(self, row, node, shown);
    if (text_is(unit, "events") && scalar_number(amount, &events) == 0)
        alarms.every_events = events / alarmed;
    else if (unit.len == 0 && scalar_duration(amount, &period_ns) == 0)
        alarms.every_s = (double)period_ns / 1e9 / alarmed;
    else
        return refuse(self, row, node, shown);
    const double every = alarms.every_s + alarms.every_events;
    if (!(alarmed > 0 && alarmed <= ALARMS_MOST) || !(every > 0) || alarms.every_s > PERIOD_MOST_S ||
        alarms.every_events > EVENTS_MOST || (alarms.every_events > 0 && alarms.every_events < 2))
        return read_refuse(self, row, node, shown, "out of range: one alarm in up to 3650d, or in 2 to 1e12 events");
    memcpy(read_field(row, into), &alarms, sizeof(alarms));
    return true;
}

/* "2/s", "90/m". */
bool read_rate(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
               const struct target *into)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return false;
    double rate = 0, seconds = 0;
    const struct text text = node->text;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && text.len > 2; i++)
        if (text.at[text.len - 2] == '/' && text.at[text.len - 1] == units[i].unit)
            seconds = units[i].seconds;
    if (text_is(text, "auto"))
        seconds = 1;
    else if (seconds <= 0 || scalar_number((struct text){.at = text.at, .len = text.len - 2}, &rate) != 0)
        return refuse(self, row, node, shown);
    else if (!(rate > 0 && rate / seconds <= RATE_MOST))
        return read_refuse(self, row, node, shown, "out of range: above 0, and up to 1e9/s");
    rate /= seconds;
    memcpy(read_field(row, into), &rate, sizeof(rate));
    return true;
}

/* [0, 100] */
bool read_range(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                const struct target *into)
{
    double range[2] = {0, 0};
    if (!read_expect(self, row, node, shown, NODE_LIST))
        return false;
    uint32_t count = 0;
    for (const struct node *item = node->first; item; item = item->next, count++) {
        if (item->unknown)
            return false;
        if (count < 2 && (item->kind != NODE_SCALAR || scalar_number(item->text, &range[count]) != 0))
            return refuse(self, row, item, shown);
    }
    if (count != 2)
        return read_refuse(self, row, node, shown, "two numbers have to stand here, not %u", count);
    if (!(range[0] < range[1]) || fabs(range[0]) > DETECT_VALUE_MAX || fabs(range[1]) > DETECT_VALUE_MAX)
        return read_refuse(self, row, node, shown, "%g is not below %g", range[0], range[1]);
    memcpy(read_field(row, into), range, sizeof(range));
    return true;
}

/* What a rule says of itself, and what its metric needs where it says nothing: charts fit it to their theory. */
static void fit_defaults(struct detect_params *params)
{
    detect_params_set(params, "prewhiten", 1, NULL);
    detect_params_set(params, "robust", 1, NULL);
    detect_params_set_text(params, "log", text_of("auto"), NULL);
}

/* A reference that is known is one of values as they come. */
static void fit_known(const struct node *map, struct detect_params *params)
{
    static const char *const fits[] = {"prewhiten", "robust", "log"};
    if (isnan(detect_params_get(params, "mean")))
        return;
    for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
        bool said = false;
        for (const struct node *member = map->first; member; member = member->next)
            said = said || text_is(member->key->text, fits[i]);
        if (!said)
            detect_params_set(params, fits[i], 0, NULL);
    }
}

static const struct node *member_of(const struct node *map, const char *name)
{
    for (const struct node *member = map->first; member; member = member->next)
        if (text_is(member->key->text, name))
            return member;
    return NULL;
}

static bool read_detector(struct reader *self, const struct node *node, const char *shown, struct drift_rule *rule)
{
    struct detect_error error;
    char name[READ_KEY_MAX];
    read_join(name, shown, text_of("detector"));
    if (node->unknown || node->kind != NODE_SCALAR) {
        if (!node->unknown)
            mistakes_add(self->mistakes, node->mark, name, "no name; allowed: the name of a detector, as in cusum");
        return false;
    }
    for (uint32_t i = 0; detect_name(i); i++)
        if (text_is(node->text, detect_name(i)))
            rule->detector = detect_name(i);
    if (rule->detector)
        return detect_params_init(&rule->params, rule->detector, NULL) == 0;
    detect_params_init(&rule->params, node->text.at, &error);
    mistakes_add(self->mistakes, node->mark, name, "%s", error.text);
    return false;
}

/* The bounds of an e-detector as a KPI writes them. */
static bool read_bounds(struct reader *self, const struct node *node, const char *shown, struct drift_rule *rule)
{
    struct kpi_budget kpi = {0};
    const struct target into = {.base = &kpi};
    struct detect_error error;
    if (!read_range(self, schema_row_of("budgets[].kpis.<metric>.range"), node, shown, &into))
        return false;
    if (detect_params_set(&rule->params, "low", kpi.range[0], &error) == 0 &&
        detect_params_set(&rule->params, "high", kpi.range[1], &error) == 0)
        return true;
    mistakes_add(self->mistakes, node->mark, shown, "%s", error.text);
    return false;
}

static bool read_parameter(struct reader *self, const struct node *node, const char *shown, struct drift_rule *rule)
{
    struct detect_error error;
    char name[READ_KEY_MAX];
    read_join(name, shown, node->key->text);
    if (node->key->unknown || node->unknown)
        return false;
    if (text_is(node->key->text, "range") && strcmp(rule->detector, "evidence") == 0)
        return read_bounds(self, node, name, rule);
    if (node->kind != NODE_SCALAR || node_is_empty(node)) {
        mistakes_add(self->mistakes, node->mark, name, "no value of a parameter; allowed: a number or a word");
        return false;
    }
    /* Detectors that look both ways at once have no such parameter, and a rule may say it all the same. */
    if (text_is(node->key->text, "direction") && detect_params_set(&rule->params, "direction", -1, NULL) == -ENOENT) {
        if (text_is(node->text, "both"))
            return true;
        mistakes_add(self->mistakes, node->mark, name, "%s finds changes in both directions; allowed: both",
                     rule->detector);
        return false;
    }
    int result = detect_params_set_text(&rule->params, node->key->text.at, node->text, &error);
    if (result != 0)
        mistakes_add(self->mistakes, result == -ENOENT ? node->key->mark : node->mark, shown, "%s", error.text);
    return result == 0;
}

/* An e-detector bets on values between two bounds. */
static bool bounds_known(struct reader *self, const struct node *node, const char *shown, const struct drift_rule *rule)
{
    double least, most;
    schema_metric_range(text_of(rule->metric), &least, &most);
    if (strcmp(rule->detector, "evidence") != 0 || (isfinite(least) && isfinite(most)) || member_of(node, "range") ||
        (member_of(node, "low") && member_of(node, "high")))
        return true;
    mistakes_add(self->mistakes, node->mark, shown,
                 "evidence needs a metric with bounds; allowed: with range: [least, "
                 "largest] of %s",
                 rule->metric);
    return false;
}

/* Every rule of a chart carries a promise. */
static bool reference_enough(struct reader *self, const struct node *node, const char *shown, const struct drift_rule *rule)
{
    struct detect_error error;
    char name[READ_KEY_MAX];
    const struct node *reference = member_of(node, "reference");
    if (!reference || detect_params_check_promise(&rule->params, &error) == 0)
        return true;
    read_join(name, shown, text_of("reference"));
    mistakes_add(self->mistakes, reference->mark, name, "%s", error.text);
    return false;
}

/* A default that is written down, as --print-config does, was no choice. */
static void note_unasked(struct reader *self, const struct node *node, const char *shown, const struct drift_rule *rule,
                         const char *parameter, const char *why)
{
    struct detect_params plain;
    char name[READ_KEY_MAX];
    const struct node *member = member_of(node, parameter);
    if (!member || detect_params_init(&plain, rule->detector, NULL) != 0 ||
        detect_params_get(&plain, parameter) == detect_params_get(&rule->params, parameter))
        return;
    read_join(name, shown, text_of(parameter));
    mistakes_add(self->notes, member->key->mark, name, "not asked, since %s", why);
}

/* Parameters that are good by themselves, and that change nothing here. */
static void note_idle(struct reader *self, const struct node *node, const char *shown, const struct drift_rule *rule)
{
    static const char *const thresholds[] = {"h", "L", "alpha"};
    const struct detect_params *params = &rule->params;
    for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds && rule_promises(rule); i++)
        note_unasked(self, node, shown, rule, thresholds[i], "the threshold comes from false_alarms");
    if (!isnan(detect_params_get(params, "window")) && member_of(node, "threshold"))
        note_unasked(self, node, shown, rule, "alpha", "there is a threshold");
    if (!isnan(detect_params_get(params, "mean")) && detect_params_get(params, "prewhiten") != 1)
        note_unasked(self, node, shown, rule, "reference", "mean and sd are known");
}

static bool read_rule(struct reader *self, const struct node *node, const char *shown, struct drift_rule *rule)
{
    struct detect_error error;
    if (node->unknown)
        return false;
    if (!read_expect(self, schema_row_of("budgets[].drift"), node, shown, NODE_MAP))
        return false;
    const struct node *metric = member_of(node, "metric"), *detector = member_of(node, "detector");
    if (!metric || !detector) {
        mistakes_add(self->mistakes, node->mark, shown, "the key %s is missing; a rule takes metric, detector and the "
                     "parameters of that detector", metric ? "detector" : "metric");
        return false;
    }
    char name[READ_KEY_MAX];
    read_join(name, shown, text_of("metric"));
    *rule = (struct drift_rule){.kpi = RULE_NO_KPI}; /* the place may have been a rule's that was refused */
    bool good = !metric->unknown && metric->kind == NODE_SCALAR && read_metric_name(self, metric, name);
    if (!metric->unknown && metric->kind != NODE_SCALAR)
        mistakes_add(self->mistakes, metric->mark, name, "no name; allowed: the name of a metric");
    if (good)
        memcpy(rule->metric, metric->text.at, metric->text.len);
    if (!read_detector(self, detector, shown, rule))
        return false;
    fit_defaults(&rule->params);
    for (const struct node *member = node->first; member; member = member->next)
        if (member != metric && member != detector && !read_parameter(self, member, shown, rule))
            good = false;
    if (member_of(node, "range") && (member_of(node, "low") || member_of(node, "high"))) {
        mistakes_add(self->mistakes, node->mark, shown, "range is low and high in one; give the one or the two");
        return false;
    }
    if (!good || !bounds_known(self, node, shown, rule))
        return false;
    fit_known(node, &rule->params);
    if (detect_params_check(&rule->params, &error) == 0) {
        note_idle(self, node, shown, rule);
        return reference_enough(self, node, shown, rule);
    }
    mistakes_add(self->mistakes, node->mark, shown, "%s", error.text);
    return false;
}

bool read_drift(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                const struct target *into)
{
    struct budget_drift *drift = read_field(row, into);
    char name[READ_KEY_MAX];
    bool good = true;
    drift->given = true;
    if (node_is_empty(node))
        return true;
    if (!read_expect(self, row, node, shown, NODE_LIST))
        return false;
    if (node->count > MONITOR_DRIFT_MAX)
        return read_refuse(self, row, node, shown, "more than %d rules", MONITOR_DRIFT_MAX);
    drift->rules = arena_take(&self->box->memory, node->count, sizeof(*drift->rules));
    drift->marks = arena_take(&self->box->memory, node->count, sizeof(*drift->marks));
    if (!drift->rules || !drift->marks)
        return false;
    snprintf(name, sizeof(name), "%s[]", shown);
    for (const struct node *item = node->first; item; item = item->next)
        if (read_rule(self, item, name, &drift->rules[drift->count]))
            drift->marks[drift->count++] = item->mark;
        else
            good = false;
    return good;
}
