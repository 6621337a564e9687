#include "lib/monitor/rule_set.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/lines.h"

/* Where places stand behind so many bytes. */
static size_t places_at(size_t before)
{
    const size_t each = sizeof(struct rule_state *);
    return (before + each - 1) / each * each;
}

/* And where the first state does, behind the places of all. */
static size_t first_at(uint32_t count, size_t before)
{
    return (places_at(before) + count * sizeof(struct rule_state *) + LINES_BYTES - 1) / LINES_BYTES * LINES_BYTES;
}

int rule_set_room(const struct drift_rule *rules, uint32_t count, size_t before, size_t *bytes)
{
    size_t end = count ? first_at(count, before) : before;
    for (uint32_t i = 0; i < count; i++) {
        if (!rule_state_possible(&rules[i]))
            return -EINVAL;
        end += rule_state_bytes(&rules[i]);
    }
    *bytes = end;
    return 0;
}

void rule_set_lay_out(struct rule_set *self, const struct drift_rule *rules, uint32_t count, void *at)
{
    const size_t before = (uintptr_t)at % LINES_BYTES;
    char *line = (char *)at - before, *state = line + first_at(count, before);
    *self = (struct rule_set){.rules = rules};
    if (count)
        self->states = (struct rule_state **)(void *)(line + places_at(before));
    for (; self->count < count; self->count++) {
        self->states[self->count] = (struct rule_state *)(void *)state;
        state += rule_state_bytes(&rules[self->count]);
    }
}

void rule_set_open(struct rule_set *self, const struct drift_rule *rules, uint32_t count, void *at)
{
    rule_set_lay_out(self, rules, count, at);
    for (uint32_t i = 0; i < self->count; i++)
        rule_state_open(self->states[i], &rules[i]);
}

void rule_set_close(struct rule_set *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->states[i])
            rule_state_close(self->states[i]);
    free(self->room);
    *self = (struct rule_set){0};
}

int rule_set_prepare(struct rule_set *self, const struct metric_event *event, const struct allowance *allowance)
{
    uint32_t most = self->room_count;
    if (event->shape != 0) /* numbers alone */
        return 0;
    for (uint32_t i = 0; self->count && i < event->metric_count; i++)
        if (event->metrics[i].kind == METRIC_CATEGORIES && event->metrics[i].categories.count > most)
            most = event->metrics[i].categories.count;
    if (most == self->room_count)
        return 0;
    const int64_t more = (int64_t)((most - self->room_count) * sizeof *self->room);
    if (!allowance_take(allowance, more))
        return -ENOMEM;
    struct detect_category *room = realloc(self->room, most * sizeof *room);
    if (!room) {
        allowance_take(allowance, -more);
        return -ENOMEM;
    }
    self->room = room;
    self->room_count = most;
    return 0;
}

static void look_again(struct rule_set *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->recovered)
            rule_state_pause(self->states[i]);
        else
            rule_state_restart(self->states[i]);
    self->blind = self->recovered = false;
}

/* A histogram or categories: the first makes cells, which may be many. */
static bool take_counts(struct rule_set *self, uint32_t i, const struct metric *metric,
                        const struct allowance *allowance, int64_t now_ns, struct detect_verdict *out)
{
    struct rule_state *state = self->states[i];
    struct detect *detect = rule_state_detect(state);
    const uint64_t cells = rule_cells_bytes(&self->rules[i], detect), before = detect_bytes(detect);
    if (cells && !allowance_take(allowance, (int64_t)cells)) {
        rule_state_refuse(state);
        return false;
    }
    const bool drift = rule_state_take(state, &self->rules[i], metric, self->room, now_ns, out);
    if (cells && detect_bytes(detect) == before) /* it wants none of this kind */
        allowance_take(allowance, -(int64_t)cells);
    return drift;
}

static bool take_one(struct rule_set *self, uint32_t i, const struct metric *metric, const struct allowance *allowance,
                     int64_t now_ns, struct detect_verdict *out)
{
    if (metric->kind == METRIC_NUMBER)
        return rule_state_take(self->states[i], &self->rules[i], metric, self->room, now_ns, out);
    return take_counts(self, i, metric, allowance, now_ns, out);
}

/* One rule; false: it has no alarm, or another has one already. */
static bool ask_rule(struct rule_set *self, uint32_t i, const struct metric *metric, const struct allowance *allowance,
                     bool alarmed, int64_t now_ns, struct rule_alarm *out)
{
    struct detect_verdict verdict;
    const bool drift = take_one(self, i, metric, allowance, now_ns, &verdict);
    self->judged = self->judged || !isnan(self->states[i]->statistic);
    if (!drift || alarmed)
        return false;
    *out = (struct rule_alarm){.rule = i, .verdict = verdict};
    return true;
}

void rule_set_adopt(struct rule_set *self, const struct drift_rule *rules)
{
    self->rules = rules;
    for (uint32_t i = 0; i < self->count; i++)
        rule_state_adopt(self->states[i], &rules[i]);
}

void rule_set_came(struct rule_set *self, const double *at_s, uint32_t values)
{
    rule_times_add(self->states, self->count, at_s, values);
    self->times = self->count ? self->states[0]->times : NULL;
}

/* The end of an event that rules have taken. */
static bool came(struct rule_set *self, double at_s, bool alarmed, struct rule_alarm *out)
{
    rule_set_came(self, &at_s, 1);
    if (alarmed)
        out->change_at_s = rule_state_change_s(self->states[out->rule], &out->verdict, at_s);
    return alarmed;
}

bool rule_set_take(struct rule_set *self, const struct metric_event *event, const struct allowance *allowance,
                   int64_t now_ns, double at_s, struct rule_alarm *out)
{
    bool alarmed = false;
    if (self->blind)
        look_again(self);
    for (uint32_t i = 0; self->paused && i < self->count; i++)
        rule_state_pause(self->states[i]);
    self->paused = false;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct metric *metric = rule_state_find(self->states[i], &self->rules[i], event);
        if (metric)
            alarmed |= ask_rule(self, i, metric, allowance, alarmed, now_ns, out);
    }
    return came(self, at_s, alarmed, out);
}

bool rule_set_take_eager(struct rule_set *self, const struct metric_event *event, int64_t now_ns, double at_s,
                         struct rule_alarm *out)
{
    bool alarmed = false;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct rule_state *state = self->states[i];
        if (state->place != RULE_NO_PLACE && !rule_state_knows_quiet(state))
            alarmed |= ask_rule(self, i, &event->metrics[state->place], NULL, alarmed, now_ns, out);
    }
    return came(self, at_s, alarmed, out);
}

void rule_set_prefetch(const struct rule_set *self, unsigned step, uint64_t index)
{
    if (step == 0)
        lines_ask(self->states);
    for (uint32_t i = 0; step > 0 && i < self->count; i++)
        rule_state_prefetch(self->states[i], &self->rules[i], index);
    if (step > 0 && self->times)
        rule_times_prefetch(self->times);
}

void rule_set_pause(struct rule_set *self)
{
    self->paused = true;
}

void rule_set_skip(struct rule_set *self, bool recovered)
{
    self->recovered = recovered || (self->blind && self->recovered);
    self->blind = true;
}

/* Loads one rule's state into the first rule that it fits and that has none yet. */
static void load_rule(struct rule_set *self, bool *loaded, struct codec *codec, int64_t shift_ns)
{
    char metric[METRIC_NAME_MAX + 1] = "", detector[RULE_TEXT_MAX] = "";
    bool of_kpi = false;
    codec_text(codec, metric, sizeof metric);
    codec_text(codec, detector, sizeof detector);
    codec_flag(codec, &of_kpi);
    const size_t state_at = codec->at;
    for (uint32_t i = 0; i < self->count && !codec->failed; i++) {
        const struct drift_rule *rule = &self->rules[i];
        if (loaded[i] || of_kpi != (rule->kpi != RULE_NO_KPI) || strcmp(rule->metric, metric) != 0 ||
            strcmp(rule->detector, detector) != 0)
            continue;
        codec->at = state_at;
        loaded[i] = rule_state_walk(self->states[i], rule, codec, shift_ns);
        if (loaded[i])
            return;
    }
    if (codec->failed)
        return;
    codec->at = state_at;
    rule_state_walk(NULL, NULL, codec, shift_ns);
}

static void save_rule(const struct drift_rule *rule, struct rule_state *state, struct codec *codec)
{
    char metric[METRIC_NAME_MAX + 1], detector[RULE_TEXT_MAX];
    bool of_kpi = rule->kpi != RULE_NO_KPI;
    memcpy(metric, rule->metric, sizeof metric);
    snprintf(detector, sizeof detector, "%s", rule->detector);
    codec_text(codec, metric, sizeof metric);
    codec_text(codec, detector, sizeof detector);
    codec_flag(codec, &of_kpi);
    rule_state_walk(state, rule, codec, 0);
}

void rule_set_walk(struct rule_set *self, struct codec *codec, int64_t shift_ns)
{
    uint32_t count = self->count;
    codec_flag(codec, &self->blind);
    codec_flag(codec, &self->recovered);
    codec_flag(codec, &self->judged);
    codec_u32(codec, &count, UINT32_MAX);
    if (!codec_loads(codec)) {
        for (uint32_t i = 0; i < count; i++) {
            if (self->paused)
                rule_state_pause(
                    self->states[i]); /* as the next value would: whoever loads the set knows of no pause */
            save_rule(&self->rules[i], self->states[i], codec);
        }
        return;
    }
    bool *loaded = calloc(self->count + (size_t)1, sizeof *loaded);
    if (!loaded)
        codec->failed = codec->out_of_memory = true;
    for (uint32_t i = 0; i < count && !codec->failed; i++)
        load_rule(self, loaded, codec, shift_ns);
    free(loaded);
    rule_times_share(self->states, self->count);
}
