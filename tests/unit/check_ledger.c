#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/workers/ledger.h"
#include "tests/run_suite.h"

#define S INT64_C(1000000000)

static const struct siphash_key key = {1, 2};
static struct ledger *ledger;

static void setup(void)
{
    ck_assert_int_eq(ledger_new(&ledger, &key, 1000), 0);
}

static void teardown(void)
{
    ledger_destroy(&ledger);
    ck_assert_ptr_null(ledger);
}

static uint64_t message(uint64_t topic, const char *node, const char *boot, uint64_t seq)
{
    return ledger_message(ledger, NULL, topic, text_of(node), text_of(boot), seq, S);
}

static const struct ledger_node *node_of(const char *name)
{
    for (uint32_t i = 0; i < ledger_node_count(ledger); i++) {
        if (strcmp(ledger_node_at(ledger, i)->name, name) == 0)
            return ledger_node_at(ledger, i);
    }
    return NULL;
}

START_TEST(gaps_are_lost)
{
    ck_assert_uint_eq(message(1, "a", "x", 0), 0);
    ck_assert_uint_eq(message(1, "a", "x", 1), 0);
    ck_assert_uint_eq(message(1, "a", "x", 5), 3);
    ck_assert_uint_eq(message(1, "a", "x", 6), 0);
    ck_assert_uint_eq(message(2, "a", "x", 0), 0); /* another topic counts by itself */
    ck_assert_uint_eq(message(2, "a", "x", 2), 1);
    ck_assert_uint_eq(node_of("a")->lost, 4);
    ck_assert_uint_eq(node_of("a")->messages, 6);
    ck_assert_uint_eq(node_of("a")->before_joining, 0);
}
END_TEST

START_TEST(before_joining_is_no_loss)
{
    message(1, "a", "x", 7);
    ck_assert_uint_eq(node_of("a")->lost, 0);
    ck_assert_uint_eq(node_of("a")->before_joining, 7);
    message(1, "a", "y", 3); /* a new boot, first heard at 3 */
    ck_assert_uint_eq(node_of("a")->before_joining, 10);
    ck_assert_uint_eq(message(1, "a", "x", 8), 0); /* two publishers under one name do not disturb each other */
    ck_assert_uint_eq(message(1, "a", "y", 4), 0);
    ck_assert_uint_eq(node_of("a")->lost, 0);
}
END_TEST

START_TEST(going_back)
{
    message(1, "a", "x", 0);
    message(1, "a", "x", 1);
    ck_assert_uint_eq(message(1, "a", "x", 1), 0);
    ck_assert_uint_eq(message(1, "a", "x", 0), 0);
    ck_assert_uint_eq(node_of("a")->repeated, 2);
    ck_assert_uint_eq(message(1, "a", "x", 2), 0); /* the place in the stream is kept */
    ck_assert_uint_eq(node_of("a")->lost, 0);

    message(1, "", "", 5);
    message(1, "", "", 6);
    ck_assert_uint_eq(message(1, "", "", 0), 0); /* no boot: it began anew */
    ck_assert_uint_eq(node_of("")->restarts, 1);
    ck_assert_uint_eq(message(1, "", "", 2), 1);
}
END_TEST

START_TEST(another_boot_is_a_restart)
{
    char boot[16];
    message(1, "a", "x", 0);
    message(2, "a", "x", 0);
    ck_assert_uint_eq(node_of("a")->restarts, 0);
    message(1, "a", "y", 0);
    message(2, "a", "y", 0);
    message(2, "a", "", 0); /* says nothing of its boot */
    ck_assert_uint_eq(node_of("a")->restarts, 1);
    message(3, "a", "x", 0); /* two publishers under one name, or one that was slow: not another start */
    ledger_beacon(ledger, 3, text_of("a"), text_of("y"), 0, S);
    ck_assert_uint_eq(node_of("a")->restarts, 1);
    ledger_beacon(ledger, 1, text_of("a"), text_of("z"), 0, S);
    ck_assert_uint_eq(node_of("a")->restarts, 2);
    for (int i = 0; i < 3 * LEDGER_BOOTS; i++) {
        snprintf(boot, sizeof boot, "b%d", i);
        message(1, "a", boot, 0);
        message(2, "a", boot, 0);
    }
    ck_assert_uint_eq(node_of("a")->restarts, 2 + 3 * LEDGER_BOOTS);
    message(1, "", "x", 0); /* nobody knows whether these are one */
    message(1, "", "y", 0);
    ck_assert_uint_eq(node_of("")->restarts, 0);
}
END_TEST

START_TEST(a_beacon_shows_a_lost_tail)
{
    message(1, "a", "x", 0);
    ck_assert_uint_eq(ledger_beacon(ledger, 1, text_of("a"), text_of("x"), 0, S), 0);
    ck_assert_uint_eq(ledger_beacon(ledger, 1, text_of("a"), text_of("x"), 3, S), 3);
    ck_assert_uint_eq(ledger_beacon(ledger, 1, text_of("a"), text_of("x"), 3, S), 0);
    ck_assert_uint_eq(message(1, "a", "x", 4), 0);
    ck_assert_uint_eq(ledger_beacon(ledger, 2, text_of("a"), text_of("x"), 9, S), 0); /* never heard of */
    ck_assert_uint_eq(node_of("a")->before_joining, 10);
    ck_assert_uint_eq(message(2, "a", "x", 10), 0);
    ck_assert_uint_eq(node_of("a")->lost, 3);
}
END_TEST

START_TEST(hostile_numbers)
{
    message(1, "a", "x", 0);
    message(1, "a", "x", UINT64_MAX);
    message(1, "a", "x", UINT64_MAX);
    message(2, "a", "x", UINT64_MAX);
    ledger_beacon(ledger, 3, text_of("a"), text_of("x"), UINT64_MAX, S);
    /* What nobody can have counted up to says nothing; what somebody might have is taken as it is. */
    ck_assert_uint_eq(node_of("a")->lost, 0);
    ck_assert_uint_eq(node_of("a")->before_joining, 0);
    message(4, "a", "x", UINT64_C(1) << 53);
    ck_assert_uint_eq(node_of("a")->before_joining, UINT64_C(1) << 53);
    const char nul[] = {'n', '\0', 'm'};
    for (uint64_t i = 0; i < 5; i++)
        ledger_message(ledger, NULL, i, (struct text){nul, 3}, text_of("b"), 0, S);
    ck_assert_uint_eq(ledger_node_count(ledger), 2);
    char longer[600];
    memset(longer, 'x', sizeof longer);
    ledger_message(ledger, NULL, 9, (struct text){longer, 600}, (struct text){longer, 600}, 0, S);
}
END_TEST

START_TEST(streams_are_bounded_and_forgotten)
{
    for (uint64_t i = 0; i < 1500; i++)
        message(i, "a", "x", 0);
    ck_assert_uint_eq(ledger_stream_count(ledger), 1000);
    ck_assert_uint_eq(ledger_not_followed(ledger), 500);
    ck_assert_uint_eq(ledger_node_count(ledger), 1);
    /* Every second stream speaks again; an hour after the first word the others go. */
    for (uint64_t i = 0; i < 1000; i += 2)
        ledger_message(ledger, NULL, i, text_of("a"), text_of("x"), 1, 3000 * S);
    for (int i = 0; i < 100; i++)
        ledger_sweep(ledger, 64, 3700 * S);
    ck_assert_uint_eq(ledger_stream_count(ledger), 500);
    for (uint64_t i = 0; i < 1000; i += 2)
        ck_assert_uint_eq(ledger_message(ledger, NULL, i, text_of("a"), text_of("x"), 3, 3700 * S), 1);
    ck_assert_uint_eq(ledger_stream_count(ledger), 500);
    ck_assert_uint_eq(ledger_message(ledger, NULL, 1, text_of("a"), text_of("x"), 3, 3700 * S), 0);
    ck_assert_uint_eq(node_of("a")->before_joining, 3);
}
END_TEST

/* Each stream goes on where it stood, while the table grows again and again and what it held is carried over. */
START_TEST(growing_forgets_nothing)
{
    struct ledger *large;
    ck_assert_int_eq(ledger_new(&large, &key, 100000), 0);
    for (uint64_t streams = 1; streams <= 20000; streams++) {
        ledger_message(large, NULL, streams, text_of("a"), text_of("x"), 10, S);
        const uint64_t other = streams * 7919 % streams + 1, again = (streams * 31 + 5) % streams + 1;
        ck_assert_uint_eq(ledger_message(large, NULL, other, text_of("a"), text_of("x"), 5, S), 0); /* known: a repetition */
        ck_assert_uint_eq(ledger_message(large, NULL, again, text_of("a"), text_of("x"), 10, S), 0);
        ck_assert_uint_eq(ledger_stream_count(large), streams);
    }
    for (uint64_t stream = 1; stream <= 20000; stream++)
        ck_assert_uint_eq(ledger_message(large, NULL, stream, text_of("a"), text_of("x"), 13, S), 2);
    ck_assert_uint_eq(ledger_stream_count(large), 20000);
    ck_assert_uint_eq(ledger_node_at(large, 0)->repeated, 40000);
    ledger_sweep(large, UINT32_MAX, (LEDGER_FORGET_S + 10) * S);
    ledger_sweep(large, UINT32_MAX, (LEDGER_FORGET_S + 10) * S);
    ck_assert_uint_eq(ledger_stream_count(large), 0);
    ledger_destroy(&large);
}
END_TEST

/* Senders of every length in turn, streams that are forgotten in between: with a memo beside each topic all is as without. */
START_TEST(a_memo_changes_nothing)
{
    enum { TOPICS = 40 };
    static const char *const nodes[] = {"", "a", "b", "camera-7", "camera-8", "a node with a long name", "a node with a long namE"};
    static const char *const boots[] = {"", "1", "2", "1700000000", "8d3c1b2e-0000-4000-8000-1234567890ab"};
    struct ledger_memo memos[TOPICS] = {{.others = 0}};
    struct ledger *plain;
    uint64_t state = 5, fresh, again = 0;
    ck_assert_int_eq(ledger_new(&plain, &key, 1000), 0);
    for (int64_t round = 0; round < 60000; round++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint32_t draw = (uint32_t)(state >> 33), topic = draw % TOPICS;
        const bool same = draw >> 20 & 3; /* mostly the topic's own sender, another now and then */
        const uint32_t own = topic + (uint32_t)(round / 3000);
        const char *node = nodes[(same ? own : draw >> 8) % 7], *boot = boots[(same ? own : draw >> 12) % 5];
        const uint64_t seq = (uint64_t)round / 10 + (draw >> 24 & 1);
        const int64_t now_ns = round * S;
        const uint64_t lost = ledger_message(plain, NULL, topic, text_of(node), text_of(boot), seq, now_ns);
        const bool told = draw >> 25 & 1 && metric_sender_is(&memos[topic].sender, text_of(node), text_of(boot));
        if (told && ledger_again(ledger, &memos[topic], seq, now_ns))
            again++;
        else
            ck_assert_uint_eq(
                ledger_message(ledger, &memos[topic], topic, text_of(node), text_of(boot), seq, now_ns), lost);
        if (round % 31 == 0)
            ck_assert_uint_eq(ledger_beacon(ledger, topic, text_of(node), text_of(boot), seq + 2, now_ns),
                              ledger_beacon(plain, topic, text_of(node), text_of(boot), seq + 2, now_ns));
        if (round % 97 == 0)
            ledger_part(ledger, &memos[draw >> 5 & 31], draw >> 5 & 31);
        if (round % 5000 == 4999) {
            ledger_sweep(ledger, UINT32_MAX, now_ns + (LEDGER_FORGET_S - 20) * S);
            ledger_sweep(plain, UINT32_MAX, now_ns + (LEDGER_FORGET_S - 20) * S);
        }
        ck_assert_uint_eq(ledger_stream_count(ledger), ledger_stream_count(plain));
    }
    ck_assert_uint_gt(again, 1000);
    ck_assert_uint_eq(ledger_node_count(ledger), ledger_node_count(plain));
    for (uint32_t i = 0; i < ledger_node_count(ledger); i++) {
        const struct ledger_node *a = ledger_node_at(ledger, i), *b = ledger_node_at(plain, i);
        ck_assert_str_eq(a->name, b->name);
        ck_assert_uint_eq(a->lost, b->lost);
        ck_assert_uint_eq(a->messages, b->messages);
        ck_assert_uint_eq(a->repeated, b->repeated);
        ck_assert_uint_eq(a->before_joining, b->before_joining);
    }
    ck_assert_ptr_nonnull(ledger_untold(ledger, S, 0, &fresh));
    ledger_destroy(&plain);
}
END_TEST

/* Writes down what `from` knows and gives it to a new ledger, at the time of another clock. Both are the caller's. */
static struct ledger *next_run(struct ledger *from, uint32_t streams_max, int64_t then_ns, int64_t now_ns)
{
    static uint8_t bytes[1 << 20];
    struct codec counting = {.at = 0}, saving = {.out = bytes, .size = sizeof bytes};
    struct ledger *to;
    ledger_save(from, &counting, then_ns);
    ledger_save(from, &saving, then_ns);
    ck_assert(!saving.failed);
    ck_assert_uint_eq(counting.at, saving.at);
    struct codec loading = {.in = bytes, .size = saving.at};
    ck_assert_int_eq(ledger_new(&to, &key, streams_max), 0);
    ledger_load(to, &loading, now_ns);
    ck_assert(!loading.failed);
    ck_assert_uint_eq(loading.at, saving.at);
    return to;
}

START_TEST(what_is_missing_between_two_runs_is_counted_apart)
{
    message(1, "a", "x", 4);
    message(2, "a", "x", 0);
    message(3, "b", "", 9);
    message(4, "", "", 0);
    struct ledger *next = next_run(ledger, 1000, S, S);
    ledger_destroy(&ledger);
    ledger = next;
    ck_assert_uint_eq(ledger_stream_count(ledger), 4);
    ck_assert_uint_eq(node_of("a")->messages, 0);
    ck_assert_uint_eq(message(1, "a", "x", 8), 0); /* 5, 6 and 7 */
    ck_assert_uint_eq(message(1, "a", "x", 10), 1); /* once: 9 is lost, as ever */
    ck_assert_uint_eq(message(2, "a", "x", 0), 0); /* a repetition, since 0 had come */
    ck_assert_uint_eq(message(2, "a", "x", 1), 0);
    ck_assert_uint_eq(node_of("a")->while_down, 3);
    ck_assert_uint_eq(node_of("a")->lost, 1);
    ck_assert_uint_eq(node_of("a")->repeated, 1);
    ck_assert_uint_eq(node_of("a")->before_joining, 0);
    ck_assert_uint_eq(node_of("a")->restarts, 0);
    message(1, "a", "y", 0); /* boot "x" is known again, so that this is another */
    ck_assert_uint_eq(node_of("a")->restarts, 1);
    message(3, "b", "", 2); /* without a boot it has gone back */
    ck_assert_uint_eq(node_of("b")->restarts, 1);
    ck_assert_uint_eq(node_of("b")->before_joining, 2);
    ck_assert_uint_eq(ledger_beacon(ledger, 4, text_of(""), text_of(""), 6, S), 0);
    ck_assert_uint_eq(node_of("")->while_down, 6);
    ck_assert_uint_eq(ledger_beacon(ledger, 4, text_of(""), text_of(""), 7, S), 1);
    ck_assert_uint_eq(ledger_while_down(ledger), 9);
}
END_TEST

/* A run that is broken in two counts what one that is not counts. */
START_TEST(a_break_loses_count_of_nothing)
{
    struct ledger_memo memos[32] = {{.others = 0}};
    struct ledger *whole;
    uint64_t next[32][4] = {{0}}, draw = 1, lost = 0;
    ck_assert_int_eq(ledger_new(&whole, &key, 1000), 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20000; i++) {
            draw = draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            const uint64_t topic = draw >> 40 & 31, sender = draw >> 50 & 3;
            const uint64_t seq = next[topic][sender] + (draw >> 60 == 0 ? 3 : 0);
            char node[8];
            snprintf(node, sizeof node, "n%d", (int)sender);
            next[topic][sender] = seq + 1;
            ledger_message(whole, NULL, topic, text_of(node), text_of("b"), seq, S);
            ledger_message(ledger, &memos[topic], topic, text_of(node), text_of("b"), seq, S);
        }
        if (round == 1)
            break;
        for (uint32_t i = 0; i < ledger_node_count(ledger); i++)
            lost += ledger_node_at(ledger, i)->lost;
        struct ledger *second = next_run(ledger, 1000, S, S);
        ledger_destroy(&ledger);
        ledger = second;
        memset(memos, 0, sizeof memos);
        for (int i = 0; i < 32; i++)
            next[i][i & 3] += 7;
    }
    for (uint32_t i = 0; i < ledger_node_count(ledger); i++)
        lost += ledger_node_at(ledger, i)->lost + ledger_node_at(ledger, i)->while_down;
    for (uint32_t i = 0; i < ledger_node_count(whole); i++)
        lost -= ledger_node_at(whole, i)->lost;
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_ge(ledger_while_down(ledger), 32 * 7);
    ledger_destroy(&whole);
}
END_TEST

START_TEST(a_stream_grows_old_while_the_daemon_runs)
{
    const int64_t long_ago = (LEDGER_FORGET_S - 10) * S;
    message(1, "a", "x", 4);
    ledger_message(ledger, NULL, 2, text_of("a"), text_of("x"), 4, long_ago);
    struct ledger *next = next_run(ledger, 1000, long_ago, 5 * S); /* after the machine was started anew */
    struct ledger *third = next_run(next, 1, 5 * S, 0);            /* and by who has room for one */
    ledger_sweep(next, UINT32_MAX, 20 * S);
    ck_assert_uint_eq(ledger_stream_count(next), 1);
    ck_assert_uint_eq(ledger_message(next, NULL, 1, text_of("a"), text_of("x"), 9, 20 * S), 0);
    ck_assert_uint_eq(ledger_while_down(next), 0); /* forgotten: it joins */
    ck_assert_uint_eq(ledger_stream_count(third), 1);
    ledger_destroy(&next);
    ledger_destroy(&third);
}
END_TEST

START_TEST(damage_costs_what_is_behind_it)
{
    uint8_t bytes[256];
    struct codec saving = {.out = bytes, .size = sizeof bytes};
    message(1, "a", "x", 4);
    message(2, "bc", "x", 4);
    ledger_save(ledger, &saving, S);
    ck_assert(!saving.failed);
    for (size_t size = 0; size < saving.at; size++) {
        struct ledger *next;
        struct codec loading = {.in = bytes, .size = size};
        ck_assert_int_eq(ledger_new(&next, &key, 1000), 0);
        ledger_load(next, &loading, S);
        ck_assert(loading.failed);
        ck_assert_uint_le(ledger_stream_count(next), 1);
        ledger_destroy(&next);
    }
}
END_TEST

START_TEST(nodes_are_bounded)
{
    struct ledger *large;
    ck_assert_int_eq(ledger_new(&large, &key, 100000), 0);
    for (unsigned i = 0; i < LEDGER_NODES_MAX + 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        ledger_message(large, NULL, 1, text_of(name), text_of("x"), 1, S);
    }
    ck_assert_uint_eq(ledger_node_count(large), LEDGER_NODES_MAX);
    uint64_t joined = 0, unnamed = 0;
    for (uint32_t i = 0; i < ledger_node_count(large); i++) {
        joined += ledger_node_at(large, i)->before_joining;
        if (!*ledger_node_at(large, i)->name)
            unnamed = ledger_node_at(large, i)->messages;
    }
    ck_assert_uint_eq(joined, LEDGER_NODES_MAX + 1000);
    ck_assert_uint_eq(unnamed, 1001);
    ledger_destroy(&large);
}
END_TEST

START_TEST(losses_are_told_now_and_then)
{
    uint64_t fresh;
    ck_assert_ptr_null(ledger_untold(ledger, 10 * S, 0, &fresh));
    message(1, "a", "x", 0);
    message(1, "b", "x", 0);
    ck_assert_ptr_null(ledger_untold(ledger, 10 * S, 0, &fresh));
    message(1, "a", "x", 3);
    message(1, "b", "x", 5);
    ck_assert_str_eq(ledger_untold(ledger, 10 * S, 0, &fresh)->name, "a");
    ck_assert_uint_eq(fresh, 2);
    ck_assert_str_eq(ledger_untold(ledger, 10 * S, 0, &fresh)->name, "b");
    ck_assert_uint_eq(fresh, 4);
    ck_assert_ptr_null(ledger_untold(ledger, 10 * S, 0, &fresh));
    message(1, "a", "x", 5);
    ck_assert_ptr_null(ledger_untold(ledger, 10 * S, 9 * S, &fresh));
    ck_assert_str_eq(ledger_untold(ledger, 10 * S, 10 * S, &fresh)->name, "a");
    ck_assert_uint_eq(fresh, 1);
    ck_assert_ptr_null(ledger_untold(ledger, 10 * S, 30 * S, &fresh));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger");
    TCase *tcase = tcase_create("ledger");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, gaps_are_lost);
    tcase_add_test(tcase, before_joining_is_no_loss);
    tcase_add_test(tcase, going_back);
    tcase_add_test(tcase, another_boot_is_a_restart);
    tcase_add_test(tcase, a_beacon_shows_a_lost_tail);
    tcase_add_test(tcase, hostile_numbers);
    tcase_add_test(tcase, streams_are_bounded_and_forgotten);
    tcase_add_test(tcase, growing_forgets_nothing);
    tcase_add_test(tcase, a_memo_changes_nothing);
    tcase_add_test(tcase, what_is_missing_between_two_runs_is_counted_apart);
    tcase_add_test(tcase, a_break_loses_count_of_nothing);
    tcase_add_test(tcase, a_stream_grows_old_while_the_daemon_runs);
    tcase_add_test(tcase, damage_costs_what_is_behind_it);
    tcase_add_test(tcase, nodes_are_bounded);
    tcase_add_test(tcase, losses_are_told_now_and_then);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
