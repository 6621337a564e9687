#include "lib/retrain/strategy.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/retrain/strategy_way.h"
#include "lib/siphash.h"

const struct strategy strategy_defaults[] = {
    {.name = "grid_search", .gpu_hours = 8, .parameters_json = "{\"grid\":\"small\"}"},
    {.name = "bayesian", .gpu_hours = 3, .parameters_json = "{\"trials\":40}"},
    {.name = "pbt", .gpu_hours = 12, .parameters_json = "{\"population\":8}"},
};
const uint32_t strategy_default_count = sizeof strategy_defaults / sizeof *strategy_defaults;

struct way {
    const char *name;
    uint32_t (*choose)(const struct choice *choice, char reason[STRATEGY_REASON_MAX]);
};

bool sentence_add(struct sentence *sentence, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = STRATEGY_REASON_MAX - sentence->len;
    int len = vsnprintf(sentence->at + sentence->len, room, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= room) {
        sentence->at[sentence->len] = '\0';
        return false;
    }
    sentence->len += (size_t)len;
    return true;
}

static uint32_t tries_of(const struct strategy_context *context, uint32_t index)
{
    uint32_t tries = 0;
    for (uint32_t i = 0; i + 1 < context->attempt; i++)
        tries += context->tried[i] == index;
    return tries;
}

static bool is_candidate(const struct choice *choice, uint32_t index)
{
    return tries_of(choice->context, index) == choice->tries;
}

/* The candidate at or after `start`, going round. */
static uint32_t candidate_from(const struct choice *choice, uint32_t start)
{
    for (uint32_t i = 0; i < choice->count; i++) {
        uint32_t index = (start + i) % choice->count;
        if (is_candidate(choice, index))
            return index;
    }
    assert(!"there is always a candidate");
    return 0;
}

static uint32_t cheapest_of(const struct choice *choice)
{
    uint32_t best = candidate_from(choice, 0);
    for (uint32_t i = best + 1; i < choice->count; i++) {
        if (is_candidate(choice, i) && choice->at[i].gpu_hours < choice->at[best].gpu_hours)
            best = i;
    }
    return best;
}

/* " (pbt 12, grid_search 8)": the candidates that were not taken, dearest first. */
static void add_others(struct sentence *out, const struct choice *choice, uint32_t taken)
{
    uint32_t shown = 0, last = choice->count;
    for (; shown + 1 < choice->candidates && shown < 4; shown++) {
        uint32_t next = choice->count;
        for (uint32_t i = 0; i < choice->count; i++) {
            if (i == taken || !is_candidate(choice, i))
                continue;
            double cost = choice->at[i].gpu_hours;
            bool behind_last = last == choice->count || cost < choice->at[last].gpu_hours ||
                               (!(cost > choice->at[last].gpu_hours) && i > last);
            if (behind_last && (next == choice->count || cost > choice->at[next].gpu_hours))
                next = i;
        }
        if (!sentence_add(out, "%s%s %.9g", shown ? ", " : " (", choice->at[next].name, choice->at[next].gpu_hours))
            break;
        last = next;
    }
    if (shown && shown + 1 < choice->candidates)
        sentence_add(out, " and %u more", choice->candidates - 1 - shown);
    if (shown)
        sentence_add(out, ")");
}

/* ", attempt 2 after bayesian" */
void sentence_add_attempt(struct sentence *out, const struct choice *choice)
{
    const struct strategy_context *context = choice->context;
    if (context->attempt < 2)
        return;
    uint32_t before = context->tried[context->attempt - 2];
    if (before >= choice->count || !sentence_add(out, ", attempt %u after %s", context->attempt, choice->at[before].name))
        sentence_add(out, ", attempt %u", context->attempt);
}

static void add_cheapest(struct sentence *out, const struct choice *choice, uint32_t taken)
{
    const struct strategy *strategy = &choice->at[taken];
    if (choice->candidates == choice->count)
        sentence_add(out, "%s: the cheapest of %u strategies at %.9g GPU-hours", strategy->name, choice->count,
            strategy->gpu_hours);
    else if (choice->candidates > 1)
        sentence_add(out, "%s: the cheapest of %u strategies %s at %.9g GPU-hours", strategy->name, choice->candidates,
            choice->tries ? "tried least" : "not yet tried", strategy->gpu_hours);
    else
        sentence_add(out, "%s: the only strategy %s, %.9g GPU-hours", strategy->name,
            choice->tries ? "tried least" : "not yet tried", strategy->gpu_hours);
    add_others(out, choice, taken);
    sentence_add_attempt(out, choice);
}

static uint32_t choose_cheapest(const struct choice *choice, char reason[STRATEGY_REASON_MAX])
{
    uint32_t taken = cheapest_of(choice);
    struct sentence out = {.at = reason};
    add_cheapest(&out, choice, taken);
    return taken;
}

static uint32_t choose_round_robin(const struct choice *choice, char reason[STRATEGY_REASON_MAX])
{
    const struct strategy_context *context = choice->context;
    uint64_t turn = context->family_requests + context->attempt - 1;
    uint32_t taken = candidate_from(choice, (uint32_t)(turn % choice->count));
    struct sentence out = {.at = reason};
    sentence_add(&out, "%s: number %u of %u in turn, after %llu requests of this model, at %.9g GPU-hours",
        choice->at[taken].name, taken + 1, choice->count, (unsigned long long)context->family_requests,
        choice->at[taken].gpu_hours);
    sentence_add_attempt(&out, choice);
    return taken;
}

/* The draw is a keyed hash of request and attempt: it can be told again from the seed alone. */
static uint32_t choose_random(const struct choice *choice, char reason[STRATEGY_REASON_MAX])
{
    const struct strategy_context *context = choice->context;
    struct siphash_key key = {.k0 = context->seed, .k1 = context->attempt};
    uint64_t draw = siphash24(&key, context->request.at, context->request.len) >> 32;
    uint32_t number = (uint32_t)((draw * choice->candidates) >> 32);
    uint32_t taken = candidate_from(choice, 0);
    while (number--)
        taken = candidate_from(choice, taken + 1);
    struct sentence out = {.at = reason};
    sentence_add(&out, "%s: drawn from %u strategies with seed %llu, at %.9g GPU-hours", choice->at[taken].name,
        choice->candidates, (unsigned long long)context->seed, choice->at[taken].gpu_hours);
    sentence_add_attempt(&out, choice);
    return taken;
}

static uint32_t find(const struct strategy *strategies, uint32_t count, struct text name)
{
    uint32_t index = 0;
    while (index < count && !text_is(name, strategies[index].name))
        index++;
    return index;
}

static uint32_t choose_named(const struct choice *choice, char reason[STRATEGY_REASON_MAX])
{
    uint32_t taken = find(choice->at, choice->count, choice->name);
    struct sentence out = {.at = reason};
    if (taken < choice->count && is_candidate(choice, taken)) {
        sentence_add(&out, "%s: named by the configuration, %.9g GPU-hours", choice->at[taken].name,
            choice->at[taken].gpu_hours);
        sentence_add_attempt(&out, choice);
        return taken;
    }
    taken = cheapest_of(choice);
    add_cheapest(&out, choice, taken);
    return taken;
}

static const struct way ways[] = {
    {"history", choose_history},
    {"cheapest", choose_cheapest},
    {"round_robin", choose_round_robin},
    {"random", choose_random},
};

static const struct way *way_of(struct text choose)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (text_is(choose, ways[i].name))
            return &ways[i];
    }
    return NULL;
}

int strategy_choice_check(struct text choose, const struct strategy *strategies, uint32_t count)
{
    return way_of(choose) || find(strategies, count, choose) < count ? 0 : -ENOENT;
}

uint32_t strategy_choose(struct text choose, const struct strategy *strategies, uint32_t count,
                         const struct strategy_context *context, char reason[STRATEGY_REASON_MAX])
{
    assert(count > 0 && context->attempt > 0);
    struct choice choice = {.name = choose, .at = strategies, .count = count, .context = context, .tries = UINT32_MAX};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tries = tries_of(context, i);
        if (tries < choice.tries) {
            choice.tries = tries;
            choice.candidates = 0;
        }
        choice.candidates += tries == choice.tries;
    }
    reason[0] = '\0';
    if (count == 1) {
        struct sentence out = {.at = reason};
        sentence_add(&out, "%s: the only strategy, %.9g GPU-hours", strategies[0].name, strategies[0].gpu_hours);
        sentence_add_attempt(&out, &choice);
        return 0;
    }
    const struct way *way = way_of(choose);
    return way ? way->choose(&choice, reason) : choose_named(&choice, reason);
}
