#include "lib/monitor/rule_times.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/lines.h"
#include "lib/monitor/rule_state.h"

#define LINE 64 /* bytes of a line of the cache */

/* Values that are taken at once come before those that wait: rules of the two kinds are never as far. */
static bool alike(const struct rule_state *a, const struct rule_state *b)
{
    return rule_state_knows_quiet(a) == rule_state_knows_quiet(b) && rule_state_taken(a) == rule_state_taken(b);
}

/* A record for a rule that has none, and for those behind it that are as far. Of values of before nothing is known. */
static void begin(struct rule_state *const *states, uint32_t count, double at_s, uint32_t values)
{
    const uint64_t before = rule_state_taken(states[0]) - values;
    struct rule_times *times = calloc(1, sizeof *times);
    if (!times)
        return;
    if (before)
        moments_begin(&times->moments, before, at_s);
    states[0]->times = times;
    times->users = 1;
    for (uint32_t i = 1; i < count; i++) {
        if (!states[i]->moved || states[i]->times || !alike(states[i], states[0]))
            continue;
        states[i]->times = times;
        times->users++;
    }
    times->moved = times->users;
}

/* The rules that have moved leave the others, who have not. */
static void part(struct rule_state *const *states, uint32_t count)
{
    struct rule_times *from = states[0]->times, *times = calloc(1, sizeof *times);
    if (times) {
        moments_copy(&times->moments, &from->moments);
        times->users = times->moved = from->moved;
    }
    for (uint32_t i = count; i-- > 0;)
        if (states[i]->moved && states[i]->times == from)
            states[i]->times = times;
    from->users -= from->moved;
    from->moved = 0;
}

void rule_times_add(struct rule_state *const *states, uint32_t count, const double *at_s, uint32_t values)
{
    for (uint32_t i = 0; i < count; i++)
        if (states[i]->moved && states[i]->times)
            states[i]->times->moved++;
    for (uint32_t i = 0; i < count; i++) {
        struct rule_state *state = states[i];
        if (!state->moved)
            continue;
        if (state->times && state->times->moved && state->times->moved < state->times->users)
            part(states + i, count - i);
        if (!state->times)
            begin(states + i, count - i, *at_s, values);
        state->moved = false;
        if (!state->times || state->times->moved == 0)
            continue;
        moments_add_all(&state->times->moments, at_s, values);
        state->times->moved = 0;
    }
}

/* All but the levels far away, which are reached once in a while. */
void rule_times_prefetch(const struct rule_times *self)
{
    for (size_t at = 0; at < sizeof *self; at += LINE)
        lines_ask((const char *)self + at);
}

void rule_times_leave(struct rule_state *state)
{
    struct rule_times *times = state->times;
    state->times = NULL;
    if (!times || --times->users > 0)
        return;
    moments_clear(&times->moments);
    free(times);
}

void rule_times_share(struct rule_state *const *states, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = 0; j < i && states[i]->times; j++) {
            struct rule_times *times = states[j]->times;
            if (!times || times == states[i]->times || !alike(states[i], states[j]) ||
                !moments_same(&times->moments, &states[i]->times->moments))
                continue;
            rule_times_leave(states[i]);
            states[i]->times = times;
            times->users++;
            break;
        }
    }
}

static void load(struct rule_state *state, struct moments *moments, struct codec *codec)
{
    moments_walk(moments, codec);
    if (codec->failed || moments->count == 0 || isnan(moments->last_s)) {
        moments_clear(moments);
        return;
    }
    state->times = calloc(1, sizeof *state->times);
    if (!state->times) {
        codec->failed = codec->out_of_memory = true;
        moments_clear(moments);
        return;
    }
    state->times->users = 1;
    state->times->moments = *moments;
}

void rule_times_walk(struct rule_state *state, uint64_t taken, struct codec *codec)
{
    struct moments moments = {0};
    if (codec_loads(codec)) {
        load(state, &moments, codec);
        return;
    }
    if (!state->times && taken)
        moments_begin(&moments, taken, (double)NAN);
    moments_walk(state->times ? &state->times->moments : &moments, codec);
}
