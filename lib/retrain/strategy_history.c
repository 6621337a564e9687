/* The way to choose that learns: the most recovery per GPU-hour, as far as it is known, and a bonus for what is not.
 *
 * A strategy's index is an upper bound of its recovery per GPU-hour: each expectation with its own uncertainty added, by
 * an amount that shrinks with the attempts of the family, and with a little chance in it, so that families which know
 * equally little do not all try the same. */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "lib/retrain/strategy_way.h"
#include "lib/siphash.h"
#include "lib/words.h"

#define BONUS_SPAN 20.0 /* the bonus falls by 1 / sqrt(1 + attempts of the family / this) */
#define CHANCE 0.2      /* of the bonus */
#define TENTH 0.1       /* what failed is not tried again before what is expected to bring so much of its own */

struct prospect {
    struct history_outlook outlook;
    double rate;  /* expected recovery per GPU-hour */
    double index; /* the same with the bonus */
    uint32_t last; /* attempt of this episode that tried it last; 0: none */
};

/* The `choice` over all its strategies. */
struct prospects {
    const struct choice *choice;
    double attempts; /* of the family */
    double fleet_attempts;
    double shrunk; /* the bonus, in standard deviations */
};

static const struct history_row nothing;

static const struct history_row *row_of(const struct choice *choice, uint32_t index)
{
    return choice->context->history ? &choice->context->history[index] : &nothing;
}

/* A number of mean 0 and deviation 1 that follows from seed, request, attempt and strategy. */
static double chance(const struct choice *choice, uint32_t index)
{
    const struct strategy_context *context = choice->context;
    struct siphash_key key = {.k0 = context->seed, .k1 = (uint64_t)context->attempt << 32 | index};
    uint64_t draw = siphash24(&key, context->request.at, context->request.len) >> 11;
    return ((double)draw / 4503599627370496.0 - 1.0) * sqrt(3.0); /* 2^52: from -1 to 1 */
}

static struct prospects survey(const struct choice *choice)
{
    struct prospects all = {.choice = choice};
    for (uint32_t i = 0; i < choice->count; i++) {
        all.attempts += row_of(choice, i)->here.attempts;
        all.fleet_attempts += row_of(choice, i)->fleet.attempts;
    }
    all.shrunk = 1.0 / sqrt(1.0 + all.attempts / BONUS_SPAN);
    return all;
}

static struct prospect look_at(const struct prospects *all, uint32_t index)
{
    const struct choice *choice = all->choice;
    struct prospect out = {.outlook = history_expect(row_of(choice, index), choice->at[index].gpu_hours)};
    const struct history_outlook *outlook = &out.outlook;
    out.rate = outlook->recovery * outlook->per_hour;
    /* Before anything is known, the cheapest it is. */
    double luck = all->fleet_attempts > 0 ? CHANCE * chance(choice, index) : 0.0;
    double bonus = all->shrunk * (1.0 + luck);
    double recovery = fmin(outlook->recovery + bonus * outlook->recovery_sd, 1.0);
    out.index = recovery * (outlook->per_hour + all->shrunk * outlook->per_hour_sd);
    for (uint32_t i = 0; i + 1 < choice->context->attempt; i++) {
        if (choice->context->tried[i] == index)
            out.last = i + 1;
    }
    return out;
}

/* It failed in this episode, and another that is expected to bring a tenth of its own has not been tried since. */
static bool must_wait(const struct prospects *all, uint32_t index, const struct prospect *self)
{
    for (uint32_t i = 0; self->last && i < all->choice->count; i++) {
        struct prospect other = look_at(all, i);
        if (i != index && other.last < self->last && other.rate >= TENTH * self->rate)
            return true;
    }
    return false;
}

/* The best of those that may be taken, by `index` or by expectation. */
static uint32_t best_of(const struct prospects *all, bool by_index, struct prospect *out)
{
    uint32_t best = all->choice->count;
    for (uint32_t i = 0; i < all->choice->count; i++) {
        struct prospect prospect = look_at(all, i);
        if (must_wait(all, i, &prospect))
            continue;
        if (best < all->choice->count && !(by_index ? prospect.index > out->index : prospect.rate > out->rate))
            continue;
        best = i;
        *out = prospect;
    }
    assert(best < all->choice->count); /* the one that was tried longest ago does not wait */
    return best;
}

/* " (0.62 at 3 GPU-hours; 7.5 of 11 attempts recovered here, 120 of 260 in the fleet)" */
static void add_figures(struct sentence *out, const struct prospects *all, uint32_t index, const struct prospect *taken)
{
    const struct history_row *row = row_of(all->choice, index);
    sentence_add(out, " (recovery %.2f at %.3g GPU-hours: ", taken->outlook.recovery, taken->outlook.gpu_hours);
    if (row->here.attempts > 0)
        sentence_add(out, "%.3g of %.0f attempts here", row->here.recovered, row->here.attempts);
    else
        sentence_add(out, "no attempt here");
    sentence_add(out, ", %.4g of %.0f in the fleet)", row->fleet.recovered, row->fleet.attempts);
}

static uint32_t count_free(const struct prospects *all)
{
    uint32_t free_ones = 0;
    for (uint32_t i = 0; i < all->choice->count; i++) {
        struct prospect prospect = look_at(all, i);
        free_ones += !must_wait(all, i, &prospect);
    }
    return free_ones;
}

/* ", the most of 3 strategies (grid_search 0.05, pbt 0.04)". The others' figures are given even of those that wait. */
static void add_rivals(struct sentence *out, const struct prospects *all, uint32_t taken)
{
    const uint32_t free_ones = count_free(all);
    if (free_ones == all->choice->count)
        sentence_add(out, ", the most of %u strategies", free_ones);
    else if (free_ones > 1)
        sentence_add(out, ", the most of the %u strategies whose turn it is", free_ones);
    else
        sentence_add(out, ", the only strategy whose turn it is");
    uint32_t shown = 0, others = all->choice->count - 1;
    for (uint32_t i = 0; i < all->choice->count && shown < 4; i++) {
        if (i == taken)
            continue;
        struct prospect other = look_at(all, i);
        if (!sentence_add(out, "%s%s %.3g", shown ? ", " : " (", all->choice->at[i].name, other.rate))
            break;
        shown++;
    }
    if (shown && shown < others)
        sentence_add(out, " and %u more", others - shown);
    if (shown)
        sentence_add(out, ")");
}

static void say_why(const struct prospects *all, uint32_t index, const struct prospect *taken,
                    char reason[STRATEGY_REASON_MAX])
{
    const struct choice *choice = all->choice;
    const char *name = choice->at[index].name;
    struct sentence out = {.at = reason};
    struct prospect best = {.rate = 0};
    if (!(all->fleet_attempts > 0)) {
        struct words words = words_into(reason, STRATEGY_REASON_MAX); /* a fleet that drifts before it learns: many of these */
        words_add(&words, name);
        words_add(&words, ": no history yet, here or in the fleet, so the least cost of ");
        words_add_count(&words, choice->count);
        words_add(&words, " strategies, ");
        words_add_real(&words, choice->at[index].gpu_hours, 9);
        words_add(&words, " GPU-hours");
        out.len = words.len;
        sentence_add_attempt(&out, choice);
        return;
    }
    uint32_t leader = best_of(all, false, &best);
    sentence_add(&out, "%s: %.3g expected recovery per GPU-hour", name, taken->rate);
    add_figures(&out, all, index, taken);
    if (leader == index)
        add_rivals(&out, all, index);
    else
        sentence_add(&out, ", tried to learn more although %s has %.3g", choice->at[leader].name, best.rate);
    sentence_add_attempt(&out, choice);
}

uint32_t choose_history(const struct choice *choice, char reason[STRATEGY_REASON_MAX])
{
    struct prospects all = survey(choice);
    struct prospect taken = {.rate = 0};
    uint32_t index = best_of(&all, true, &taken);
    say_why(&all, index, &taken, reason);
    return index;
}
