#include "lib/monitor/rule_set.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

int rule_set_open(struct rule_set *self, const struct drift_rule *rules, uint32_t count)
{
    *self = (struct rule_set){.rules = rules};
    if (count == 0)
        return 0;
    self->states = calloc(count, sizeof *self->states);
    if (!self->states)
        return -ENOMEM;
    for (; self->count < count; self->count++) {
        int error = rule_state_open(&self->states[self->count], &rules[self->count]);
        if (error) {
            rule_set_close(self);
            return error == -ENOMEM ? error : -EINVAL;
        }
    }
    return 0;
}

void rule_set_close(struct rule_set *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        rule_state_close(&self->states[i]);
    free(self->states);
    free(self->room);
    *self = (struct rule_set){0};
}

int rule_set_prepare(struct rule_set *self, const struct metric_event *event)
{
    uint32_t most = self->room_count;
    for (uint32_t i = 0; self->count && i < event->metric_count; i++)
        if (event->metrics[i].kind == METRIC_CATEGORIES && event->metrics[i].categories.count > most)
            most = event->metrics[i].categories.count;
    if (most == self->room_count)
        return 0;
    struct detect_category *room = realloc(self->room, most * sizeof *room);
    if (!room)
        return -ENOMEM;
    self->room = room;
    self->room_count = most;
    return 0;
}

static void look_again(struct rule_set *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->recovered)
            rule_state_pause(&self->states[i]);
        else
            rule_state_restart(&self->states[i]);
    self->blind = self->recovered = false;
}

bool rule_set_take(struct rule_set *self, const struct metric_event *event, int64_t now_ns, double at_s,
                   struct rule_alarm *out)
{
    bool alarmed = false;
    if (self->blind)
        look_again(self);
    for (uint32_t i = 0; i < self->count; i++) {
        struct rule_state *state = &self->states[i];
        const struct metric *metric = rule_state_find(state, &self->rules[i], event);
        struct detect_verdict verdict = {0};
        if (!metric)
            continue;
        if (rule_state_take(state, &self->rules[i], metric, self->room, now_ns, at_s, &verdict) && !alarmed) {
            alarmed = true;
            *out = (struct rule_alarm){i, verdict, rule_state_change_s(state, &verdict, at_s)};
        }
        self->judged = self->judged || !isnan(state->statistic);
    }
    return alarmed;
}

void rule_set_skip(struct rule_set *self, bool recovered)
{
    self->recovered = recovered || (self->blind && self->recovered);
    self->blind = true;
}
