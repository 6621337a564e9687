#include "lib/explain/explain.h"

#include <math.h>
#include <stdlib.h>

#include "lib/explain/sentences.h"
#include "lib/wire/json_write.h"

static void number(struct json_write *out, const char *key, double value)
{
    json_write_key(out, key);
    json_write_number(out, value);
}

static void string(struct json_write *out, const char *key, const char *value)
{
    json_write_key(out, key);
    json_write_string(out, value);
}

static void truth(struct json_write *out, const char *key, bool value)
{
    json_write_key(out, key);
    json_write_bool(out, value);
}

static void place(struct json_write *out, const struct explain_place *at)
{
    string(out, "file", at->file);
    json_write_key(out, "line");
    if (at->file)
        json_write_integer(out, at->line);
    else
        json_write_null(out);
}

static void saying(struct json_write *out, const char *about, const struct sentence *sentence)
{
    if (!sentence->len)
        return;
    json_write_bracket(out, '{');
    string(out, "about", about);
    string(out, "text", sentence->text);
    json_write_bracket(out, '}');
}

/* Delays ---------------------------------------------------------------------------------------------------------- */

static void write_delays(struct json_write *out, const struct delay_answer answers[EXPLAIN_SHIFTS], double rate)
{
    json_write_key(out, "delays");
    json_write_bracket(out, '[');
    for (int i = 0; i < EXPLAIN_SHIFTS; i++) {
        json_write_bracket(out, '{');
        number(out, "shift_sd", explain_shifts[i] > 0 ? explain_shifts[i] : (double)NAN);
        number(out, "shift", answers[i].amount);
        number(out, "values", answers[i].values); /* null: it cannot be said, or is not found */
        number(out, "seconds", rate > 0 ? answers[i].values / rate : (double)NAN);
        truth(out, "found", isfinite(answers[i].values));
        truth(out, "known", !isnan(answers[i].values));
        json_write_bracket(out, '}');
    }
    json_write_bracket(out, ']');
}

/* Rules ----------------------------------------------------------------------------------------------------------- */

static void write_parameters(struct json_write *out, const struct explain_rule *rule)
{
    const struct detect_param *param;
    json_write_key(out, "parameters");
    json_write_bracket(out, '{');
    for (uint32_t i = 0; (param = detect_param(rule->rule.detector, i)); i++) {
        double value = detect_params_get(&rule->rule.params, param->name);
        if (isnan(value))
            continue;
        json_write_key(out, param->name);
        if (param->kind == DETECT_SWITCH)
            json_write_bool(out, value == 1);
        else if (param->kind == DETECT_CHOICE) {
            const char *word = param->words;
            for (int skip = (int)value; skip > 0; skip--)
                word += strcspn(word, "|") + 1;
            json_write_text(out, (struct text){.at = word, .len = strcspn(word, "|")});
        } else
            json_write_number(out, value);
    }
    json_write_bracket(out, '}');
}

static void write_promise(struct json_write *out, const struct explain *self, const struct explain_rule *rule)
{
    const char *why = explain_why_not(rule);
    double rate = explain_rate(self, rule), values = rule->in_force.promise;
    string(out, "cannot_promise", why);
    json_write_key(out, "promise");
    if (why) {
        json_write_null(out);
        return;
    }
    json_write_bracket(out, '{');
    number(out, "values", values);
    number(out, "seconds", rate > 0 ? values / rate : (double)NAN);
    truth(out, "approximate", rule->in_force.approximate);
    truth(out, "rate_assumed", rule->rate_assumed);
    json_write_bracket(out, '}');
}

static void write_reference(struct json_write *out, const struct explain_rule *rule)
{
    const struct detect_reference *reference = &rule->live.reference;
    const struct detect_moments *moments = &rule->live.moments;
    json_write_key(out, "reference");
    if (!rule->live.has_reference) {
        json_write_null(out);
    } else {
        json_write_bracket(out, '{');
        json_write_key(out, "collected");
        json_write_integer(out, reference->collected);
        json_write_key(out, "wanted");
        json_write_integer(out, reference->wanted);
        truth(out, "judging", reference->judging);
        truth(out, "logarithms", reference->logs);
        number(out, "level", reference->level);
        number(out, "sd", reference->sd);
        number(out, "allowance", reference->slack);
        json_write_bracket(out, '}');
    }
    number(out, "autocorrelation",
           rule->live.has_reference && reference->judging ? reference->phi
           : rule->live.has_moments                       ? moments->autocorrelation
                                                          : (double)NAN);
    number(out, "mean", rule->live.has_moments ? moments->mean : (double)NAN);
}

static void write_sayings(struct json_write *out, const struct explain *self, const struct explain_rule *rule,
                          const struct delay_answer answers[EXPLAIN_SHIFTS])
{
    struct sentence wrong = {0}, caveat = {0}, sees = {0}, threshold = {0}, reference = {0};
    sentence_promise(self, rule, &wrong);
    sentence_caveat(rule, &caveat);
    const struct delay_words words = {.metric = rule->rule.metric,
                                      .down = explain_down(rule),
                                      .rate = explain_rate(self, rule),
                                      .unknown = explain_no_delay(rule),
                                      .missed = explain_missed(rule),
                                      .assumed = rule->rate_assumed};
    sentence_delay(answers, &words, &sees);
    sentence_beyond(rule, words.rate, &sees);
    sentence_threshold(rule, &threshold);
    sentence_reference(rule, &reference);
    json_write_key(out, "says");
    json_write_bracket(out, '[');
    saying(out, "false alarms", &wrong);
    saying(out, "as far as", &caveat);
    saying(out, "sees", &sees);
    saying(out, "threshold", &threshold);
    saying(out, "reference", &reference);
    json_write_bracket(out, ']');
}

static void write_rule(struct json_write *out, const struct explain *self, const struct explain_rule *rule)
{
    struct delay_answer answers[EXPLAIN_SHIFTS];
    char text[RULE_TEXT_MAX];
    double rate = explain_rate(self, rule);
    for (int i = 0; i < EXPLAIN_SHIFTS; i++)
        answers[i] = delay_of_rule(rule, &(struct delay_question){.sds = explain_shifts[i], .down = explain_down(rule)});
    drift_rule_text(&rule->rule, text);
    json_write_bracket(out, '{');
    string(out, "rule", text);
    string(out, "metric", rule->rule.metric);
    string(out, "detector", rule->rule.detector);
    place(out, &rule->place);
    write_parameters(out, rule);
    number(out, "rate_per_s", rate > 0 ? rate : (double)NAN);
    json_write_key(out, "n");
    json_write_integer(out, (int64_t)rule->live.taken);
    number(out, "statistic", rule->live.known ? rule->live.statistic : (double)NAN);
    number(out, "threshold", explain_threshold(rule));
    write_promise(out, self, rule);
    write_reference(out, rule);
    write_delays(out, answers, rate);
    write_sayings(out, self, rule, answers);
    json_write_bracket(out, '}');
}

/* Budgets --------------------------------------------------------------------------------------------------------- */

/* The rate of a metric that some rule measures as well. */
static double rate_of(const struct explain *self, const char *metric)
{
    for (uint32_t i = 0; i < self->rule_count; i++)
        if (strcmp(self->rules[i].rule.metric, metric) == 0 && self->rules[i].live.rate > 0)
            return self->rules[i].live.rate;
    return self->settings.event_rate;
}

static void write_kpi(struct json_write *out, const struct explain *self, const struct explain_kpi *kpi)
{
    struct sentence wrong = {0}, sees = {0}, threshold = {0};
    struct delay_answer answers[EXPLAIN_SHIFTS];
    bool down = explain_kpi_down(kpi);
    char text[RULE_TEXT_MAX];
    double rate = rate_of(self, kpi->kpi.metric), limit = down ? kpi->kpi.min : kpi->kpi.max;
    for (int i = 0; i < EXPLAIN_SHIFTS; i++)
        answers[i] = delay_of_kpi(kpi, &self->settings, &(struct delay_question){.sds = explain_shifts[i], .down = down});
    struct sentence rule = {0};
    words_say(&rule, "%s %s %c %.15g", kpi->kpi.metric, window_stat_name(kpi->kpi.over), down ? '<' : '>', limit);
    memcpy(text, rule.text, sizeof(text));
    text[sizeof(text) - 1] = '\0';
    sentence_kpi_promise(kpi, &wrong);
    sentence_delay(answers,
                   &(struct delay_words){.metric = kpi->kpi.metric,
                                         .down = down,
                                         .rate = rate,
                                         .unknown = "before values have come",
                                         .missed = "leaves it within its budget, so there is nothing to report"},
                   &sees);
    sentence_kpi_threshold(self, kpi, &threshold);
    json_write_bracket(out, '{');
    string(out, "rule", text);
    string(out, "metric", kpi->kpi.metric);
    string(out, "detector", "window");
    place(out, &kpi->place);
    json_write_key(out, "n");
    json_write_integer(out, (int64_t)kpi->live.total);
    number(out, "statistic", kpi->live.observed);
    number(out, "threshold", limit);
    string(out, "cannot_promise", "a budget is no statement about chance");
    json_write_key(out, "promise");
    json_write_null(out);
    number(out, "autocorrelation", kpi->live.autocorrelation);
    write_delays(out, answers, rate);
    json_write_key(out, "says");
    json_write_bracket(out, '[');
    saying(out, "false alarms", &wrong);
    saying(out, "sees", &sees);
    saying(out, "threshold", &threshold);
    json_write_bracket(out, ']');
    json_write_bracket(out, '}');
}

/* The whole ------------------------------------------------------------------------------------------------------- */

static void write_budget(struct json_write *out, const struct explain *self)
{
    const struct alarm_budget *alarms = &self->settings.alarms;
    json_write_key(out, "false_alarms");
    json_write_bracket(out, '{');
    number(out, "every_s", alarms->every_s > 0 ? alarms->every_s : (double)NAN);
    number(out, "every_values", alarms->every_events > 0 ? alarms->every_events : (double)NAN);
    place(out, &self->alarms_place);
    json_write_bracket(out, '}');
}

char *explain_json(const struct explain *self)
{
    struct json_write out = {0};
    struct sentence whole = {0};
    sentence_model(self, &whole);
    json_write_bracket(&out, '{');
    truth(&out, "ok", true);
    string(&out, "model", self->model);
    truth(&out, "seen", self->seen);
    json_write_key(&out, "events");
    json_write_integer(&out, (int64_t)self->events);
    string(&out, "summary", whole.text);
    write_budget(&out, self);
    json_write_key(&out, "rules");
    json_write_bracket(&out, '[');
    for (uint32_t k = 0; k < self->kpi_count; k++)
        if (self->kpis[k].kpi.test == KPI_WINDOW)
            write_kpi(&out, self, &self->kpis[k]);
    for (uint32_t i = 0; i < self->rule_count; i++)
        write_rule(&out, self, &self->rules[i]);
    json_write_bracket(&out, ']');
    json_write_key(&out, "settings");
    json_write_raw(&out, text_of(self->settings_json));
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

void explain_clear(struct explain *self)
{
    for (uint32_t i = 0; i < self->rule_count; i++)
        free(self->rules[i].place.file);
    for (uint32_t k = 0; k < self->kpi_count; k++)
        free(self->kpis[k].place.file);
    free(self->alarms_place.file);
    free(self->rules);
    free(self->kpis);
    free(self->model);
    free(self->settings_json);
    *self = (struct explain){0};
}
