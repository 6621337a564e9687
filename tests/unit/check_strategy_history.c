/* What strategies have brought, and the way to choose that learns from it: figures against SciPy, the rules of an
 * episode, and the regret against an oracle that knows every probability. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/retrain/strategy.h"
#include "lib/siphash.h"
#include "tests/run_suite.h"

START_TEST(recovery_is_the_part_of_the_way)
{
    ck_assert_double_eq_tol(history_recovery(0.5, 0.8, 0.65), 0.5, 1e-12);
    ck_assert_double_eq_tol(history_recovery(0.5, 0.8, 0.9), 1.0, 1e-12);
    ck_assert_double_eq_tol(history_recovery(0.5, 0.8, 0.4), 0.0, 1e-12);
    ck_assert_double_eq_tol(history_recovery(500, 400, 425), 0.75, 1e-12); /* a latency: lower is better */
    ck_assert_double_eq_tol(history_recovery(500, 400, 600), 0.0, 1e-12);
    ck_assert(isnan(history_recovery(NAN, 0.8, 0.9)));
    ck_assert(isnan(history_recovery(0.5, NAN, 0.9)));
    ck_assert(isnan(history_recovery(0.5, 0.8, NAN)));
    ck_assert_double_eq_tol(history_recovery(0.8, 0.8, 0.7), 1.0, 1e-12);
}
END_TEST

/* The fleet's sums, kept step by step, are those of the tallies. */
START_TEST(sums_are_kept)
{
    struct history_row rows[5] = {0};
    struct history_fleet fleet = {0};
    struct siphash_key key = {.k0 = 5};
    for (uint64_t i = 0; i < 4000; i++) {
        uint64_t draw = siphash24(&key, &i, sizeof i);
        struct history_row *row = &rows[draw % 5];
        row->fleet = fleet;
        if (draw >> 8 & 1 || row->here.attempts < 1) {
            history_count(row, (double)(draw >> 16 & 15) / 15, draw >> 24 & 1 ? (double)(draw >> 32 & 63) : NAN);
        } else {
            history_correct(row, 1.0, (double)(draw >> 16 & 15) / 15);
        }
        fleet = row->fleet;
    }
    struct history_fleet sums = {0};
    for (int i = 0; i < 5; i++) {
        const struct history_tally *here = &rows[i].here;
        double per_hour = here->costs / here->gpu_hours;
        ck_assert_double_ge(here->recovered, 0);
        ck_assert_double_le(here->recovered, here->attempts);
        sums.families++;
        sums.attempts += here->attempts;
        sums.attempts_squared += here->attempts * here->attempts;
        sums.recovered += here->recovered;
        sums.recovered_squared += here->recovered * here->recovered / here->attempts;
        sums.cost_families++;
        sums.per_hour += per_hour;
        sums.per_hour_squared += per_hour * per_hour;
    }
    ck_assert_double_eq_tol(fleet.families, sums.families, 1e-9);
    ck_assert_double_eq_tol(fleet.attempts, sums.attempts, 1e-6);
    ck_assert_double_eq_tol(fleet.attempts_squared, sums.attempts_squared, 1e-4);
    ck_assert_double_eq_tol(fleet.recovered, sums.recovered, 1e-6);
    ck_assert_double_eq_tol(fleet.recovered_squared, sums.recovered_squared, 1e-6);
    ck_assert_double_eq_tol(fleet.cost_families, sums.cost_families, 1e-9);
    ck_assert_double_eq_tol(fleet.per_hour, sums.per_hour, 1e-6);
    ck_assert_double_eq_tol(fleet.per_hour_squared, sums.per_hour_squared, 1e-6);
}
END_TEST

START_TEST(nothing_known_is_a_coin)
{
    struct history_row none = {0};
    struct history_outlook out = history_expect(&none, 8);
    ck_assert_double_eq_tol(out.recovery, 0.5, 1e-12);
    ck_assert_double_eq_tol(out.gpu_hours, 8, 1e-12);
    ck_assert_double_eq_tol(out.per_hour_sd, 0, 1e-12);
    ck_assert_double_gt(out.recovery_sd, 0.4);
}
END_TEST

/* A family's own attempts outweigh the fleet's in the end; without any, the fleet's are what is expected. */
START_TEST(the_family_outweighs_the_fleet)
{
    struct history_fleet fleet = {0};
    for (int family = 0; family < 100; family++) {
        struct history_row row = {.fleet = fleet};
        for (int i = 0; i < 10; i++)
            history_count(&row, family % 5 == 0 ? 1 : 0, 4);
        fleet = row.fleet;
    }
    struct history_row row = {.fleet = fleet};
    struct history_outlook out = history_expect(&row, 8);
    ck_assert_double_eq_tol(out.recovery, 0.2, 0.01);
    ck_assert_double_eq_tol(out.gpu_hours, 4, 1e-9);
    double sd = out.recovery_sd;
    for (int i = 0; i < 20; i++)
        history_count(&row, 1, 6);
    out = history_expect(&row, 8);
    ck_assert_double_gt(out.recovery, 0.9);
    ck_assert_double_lt(out.recovery_sd, sd / 3);
    ck_assert_double_eq_tol(out.gpu_hours, 6, 1e-9);
}
END_TEST

/* -- the choice -- */

static const char *choose(uint32_t attempt, const uint32_t *tried, const struct history_row *history, uint64_t seed,
                          const char **reason_p)
{
    static char reason[STRATEGY_REASON_MAX];
    struct strategy_context context = {.seed = seed,
                                       .request = text_of("968a"),
                                       .family = text_of("p/n"),
                                       .attempt = attempt,
                                       .tried = tried,
                                       .history = history};
    uint32_t index = strategy_choose(text_of("history"), strategy_defaults, 3, &context, reason);
    *reason_p = reason;
    return strategy_defaults[index].name;
}

static struct history_row after(double recovered, double attempts)
{
    struct history_row row = {0};
    for (int i = 0; i < attempts; i++)
        history_count(&row, i < recovered ? 1 : 0, NAN);
    return row;
}

START_TEST(without_history_it_says_so)
{
    const char *reason;
    struct history_row none[3] = {0};
    ck_assert_int_eq(strategy_choice_check(text_of("history"), strategy_defaults, 3), 0);
    ck_assert_str_eq(choose(1, NULL, NULL, 0, &reason), "bayesian");
    ck_assert_str_eq(reason, "bayesian: no history yet, here or in the fleet, so the least cost of 3 strategies, "
                             "3 GPU-hours");
    ck_assert_str_eq(choose(1, NULL, none, 7, &reason), "bayesian");
}
END_TEST

START_TEST(figures_are_in_the_reason)
{
    const char *reason;
    /* grid_search recovers always, bayesian never: 1/8 against 0/3 an hour. */
    struct history_row rows[3] = {after(12, 12), after(0, 12), after(6, 12)};
    ck_assert_str_eq(choose(1, NULL, rows, 0, &reason), "grid_search");
    ck_assert_ptr_nonnull(strstr(reason, "grid_search: 0.1"));
    ck_assert_ptr_nonnull(strstr(reason, "12 of 12 attempts here, 12 of 12 in the fleet"));
    ck_assert_ptr_nonnull(strstr(reason, "the most of 3 strategies (bayesian 0.0"));
    /* The same history, seed and request: the same choice. */
    char first[STRATEGY_REASON_MAX];
    snprintf(first, sizeof first, "%s", reason);
    choose(1, NULL, rows, 0, &reason);
    ck_assert_str_eq(reason, first);
}
END_TEST

/* grid_search 0.1 an hour, bayesian 0.15, pbt nothing to speak of. */
START_TEST(what_failed_waits_for_others_that_are_worth_a_tenth)
{
    const char *reason;
    struct history_row rows[3] = {after(160, 200), after(90, 200), after(0, 200)};
    static const uint32_t first[] = {1}, second[] = {1, 0}, third[] = {1, 0, 1};
    ck_assert_str_eq(choose(1, NULL, rows, 0, &reason), "bayesian");
    ck_assert_str_eq(choose(2, first, rows, 0, &reason), "grid_search");
    ck_assert_ptr_nonnull(strstr(reason, ", the most of the 2 strategies whose turn it is (bayesian 0."));
    ck_assert_ptr_nonnull(strstr(reason, ", attempt 2 after bayesian"));
    /* pbt is worth less than a tenth: what failed is tried again before it. */
    ck_assert_str_eq(choose(3, second, rows, 0, &reason), "bayesian");
    ck_assert_str_eq(choose(4, third, rows, 0, &reason), "grid_search");
    /* And where pbt is worth a tenth, not before it. */
    rows[2] = after(60, 200);
    ck_assert_str_eq(choose(3, second, rows, 0, &reason), "pbt");
    ck_assert_ptr_nonnull(strstr(reason, ", the only strategy whose turn it is ("));
    /* Where the others are worth nothing, the same again. */
    rows[0] = after(0, 200);
    rows[2] = after(0, 200);
    ck_assert_str_eq(choose(2, first, rows, 0, &reason), "bayesian");
}
END_TEST

/* -- regret -- */

#define FAMILIES 200
#define WAYS 3
#define REQUESTS 50

enum costs { CONFIGURED, REPORTED };
enum order { IN_TURN, ONE_BY_ONE };

struct world {
    uint64_t state;
    double chance[FAMILIES][WAYS], cost[FAMILIES][WAYS];
    struct strategy strategies[WAYS];
    struct history_tally tallies[FAMILIES][WAYS];
    struct history_fleet fleet[WAYS];
    double regret;
    uint32_t taken[WAYS];
};

static double uniform(struct world *self)
{
    struct siphash_key key = {.k0 = 1};
    uint64_t draw = siphash24(&key, &self->state, sizeof self->state);
    self->state++;
    return (double)(draw >> 11) / 9007199254740992.0;
}

static struct world *world_new(uint64_t seed, enum costs costs)
{
    static const double said[WAYS] = {8, 3, 12};
    struct world *self = calloc(1, sizeof *self);
    ck_assert_ptr_nonnull(self);
    self->state = seed << 32;
    for (int k = 0; k < WAYS; k++) {
        snprintf(self->strategies[k].name, sizeof self->strategies[k].name, "way%d", k);
        self->strategies[k].gpu_hours = costs == CONFIGURED ? 3.0 * pow(4.0, uniform(self)) : said[k];
        self->strategies[k].parameters_json = "{}";
    }
    for (int f = 0; f < FAMILIES; f++) {
        for (int k = 0; k < WAYS; k++) {
            self->chance[f][k] = 0.1 + 0.8 * uniform(self);
            self->cost[f][k] = costs == CONFIGURED ? self->strategies[k].gpu_hours : 3.0 * pow(4.0, uniform(self));
        }
    }
    return self;
}

static void one_request(struct world *self, const char *way, uint64_t seed, int f, int number)
{
    struct history_row rows[WAYS];
    char reason[STRATEGY_REASON_MAX], request[32], family[16];
    snprintf(request, sizeof request, "%d/%d", f, number);
    snprintf(family, sizeof family, "p/%d", f);
    for (int k = 0; k < WAYS; k++)
        rows[k] = (struct history_row){.here = self->tallies[f][k], .fleet = self->fleet[k]};
    struct strategy_context context = {.seed = seed,
                                       .request = text_of(request),
                                       .family = text_of(family),
                                       .family_requests = (uint64_t)number,
                                       .attempt = 1,
                                       .history = rows};
    uint32_t taken = strategy_choose(text_of(way), self->strategies, WAYS, &context, reason);
    double best = 0;
    for (int k = 0; k < WAYS; k++)
        best = fmax(best, self->chance[f][k] / self->cost[f][k]);
    self->regret += best - self->chance[f][taken] / self->cost[f][taken];
    self->taken[taken]++;
    history_count(&rows[taken], uniform(self) < self->chance[f][taken] ? 1 : 0, self->cost[f][taken]);
    self->tallies[f][taken] = rows[taken].here;
    self->fleet[taken] = rows[taken].fleet;
}

static void live_through(struct world *self, const char *way, uint64_t seed, enum order order)
{
    if (order == IN_TURN) {
        for (int i = 0; i < REQUESTS; i++) {
            for (int f = 0; f < FAMILIES; f++)
                one_request(self, way, seed, f, i);
        }
        return;
    }
    for (int f = 0; f < FAMILIES; f++) {
        for (int i = 0; i < REQUESTS; i++)
            one_request(self, way, seed, f, i);
    }
}

static double regret_of(const char *way, uint64_t seed, enum costs costs, enum order order)
{
    struct world *world = world_new(seed, costs);
    live_through(world, way, seed, order);
    double regret = world->regret;
    free(world);
    return regret;
}

/* In each of 20 seeds: at most a third of the regret of chance, and less than that of the cheapest. */
START_TEST(regret_is_small)
{
    static const char *const names[] = {"in turn", "one by one"};
    enum costs costs = _i % 2;
    enum order order = _i / 2;
    double of_random = 0, of_cheapest = 0, sum = 0, sum_cheapest = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        double random = regret_of("random", seed, costs, order), cheapest = regret_of("cheapest", seed, costs, order);
        double history = regret_of("history", seed, costs, order);
        ck_assert_msg(history <= random / 3, "seed %d: %g, chance %g", (int)seed, history, random);
        ck_assert_msg(history < cheapest, "seed %d: %g, the cheapest %g", (int)seed, history, cheapest);
        of_random = fmax(of_random, history / random);
        of_cheapest = fmax(of_cheapest, history / cheapest);
        sum += history / random;
        sum_cheapest += history / cheapest;
    }
    printf("families %s, costs %s: regret %.3f of that of chance (at most %.3f), %.3f of the cheapest's (at most %.3f)\n",
           names[order], costs == CONFIGURED ? "configured" : "reported", sum / 20, of_random, sum_cheapest / 20,
           of_cheapest);
}
END_TEST

/* A strategy that never recovers anything is soon left, be it the cheapest or not. */
START_TEST(what_never_works_is_left)
{
    double most = 0;
    for (int dead = 0; dead < WAYS; dead++) {
        for (int cheap = 0; cheap < 2; cheap++) {
            struct world *world = world_new(3, _i % 2);
            for (int f = 0; f < FAMILIES; f++) {
                world->chance[f][dead] = 0;
                if (cheap)
                    world->cost[f][dead] = 3;
            }
            if (cheap)
                world->strategies[dead].gpu_hours = 3;
            live_through(world, "history", 3, _i / 2);
            ck_assert_msg(world->taken[dead] <= 3 * FAMILIES, "%g of a family's 50", world->taken[dead] / 200.0);
            most = fmax(most, world->taken[dead] / (double)FAMILIES);
            free(world);
        }
    }
    printf("what never works: at most %.2f of a family's 50 on average\n", most);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("strategy_history");
    TCase *tests = tcase_create("strategy_history");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, recovery_is_the_part_of_the_way);
    tcase_add_test(tests, sums_are_kept);
    tcase_add_test(tests, nothing_known_is_a_coin);
    tcase_add_test(tests, the_family_outweighs_the_fleet);
    tcase_add_test(tests, without_history_it_says_so);
    tcase_add_test(tests, figures_are_in_the_reason);
    tcase_add_test(tests, what_failed_waits_for_others_that_are_worth_a_tenth);
    tcase_add_loop_test(tests, regret_is_small, 0, 4);
    tcase_add_loop_test(tests, what_never_works_is_left, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
