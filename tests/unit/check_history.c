#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/observe/answers.h"
#include "daemon/observe/history.h"
#include "tests/run_suite.h"

/* --- what is kept of models --- */

static struct history *history;

static void enter(void)
{
    ck_assert_int_eq(history_new(&history), 0);
}

static void leave(void)
{
    history_destroy(&history);
}

static json_t *model(const char *name, double accuracy)
{
    return json_pack("{s:s, s:s, s:[{s:s, s:f}, {s:s, s:n}]}", "model", name, "state", "failing", "kpis", "name",
                     "accuracy", "observed", accuracy, "name", "latency_ms", "observed");
}

static void add(const char *name, double accuracy, int64_t at_s)
{
    json_t *shown = model(name, accuracy);
    history_add(history, shown, at_s * 1000000000, 1e9 + (double)at_s);
    json_decref(shown);
}

static json_t *kept(const char *name)
{
    char *text = history_text(history, name);
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return json;
}

START_TEST(samples_in_order_at_their_times)
{
    for (int i = 0; i < 5; i++)
        add("p/n/v", 0.1 * i, 100 + 10 * i);
    add("p/n/v", 9, 145); /* too soon after the last one */
    json_t *json = kept("p/n/v");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "kpis"), 1)), "latency_ms");
    const json_t *samples = json_object_get(json, "samples");
    ck_assert_uint_eq(json_array_size(samples), 5);
    for (size_t i = 0; i < 5; i++) {
        const json_t *sample = json_array_get(samples, i);
        ck_assert_double_eq(json_number_value(json_array_get(sample, 0)), 1e9 + 100 + 10 * (double)i);
        ck_assert_str_eq(json_string_value(json_array_get(sample, 1)), "failing");
        ck_assert_double_eq_tol(json_number_value(json_array_get(sample, 2)), 0.1 * (double)i, 1e-6);
        ck_assert(json_is_null(json_array_get(sample, 3)));
    }
    json_decref(json);
    ck_assert_ptr_null(kept("p/n/w"));
}
END_TEST

START_TEST(the_oldest_give_way)
{
    for (int i = 0; i < HISTORY_SAMPLES + 3; i++)
        add("p/n/v", i, 10 * i);
    json_t *json = kept("p/n/v");
    const json_t *samples = json_object_get(json, "samples");
    ck_assert_uint_eq(json_array_size(samples), HISTORY_SAMPLES);
    ck_assert_double_eq(json_number_value(json_array_get(json_array_get(samples, 0), 2)), 3);
    json_decref(json);

    char name[32];
    for (int i = 0; i < HISTORY_MODELS_MAX; i++) {
        snprintf(name, sizeof name, "p/n/%d", i);
        add(name, 1, 100000 + i);
    }
    ck_assert_ptr_null(kept("p/n/v"));
    json = kept("p/n/0");
    ck_assert_ptr_nonnull(json);
    json_decref(json);
}
END_TEST

START_TEST(other_kpis_begin_anew)
{
    add("p/n/v", 1, 10);
    json_t *other = json_pack("{s:s, s:s, s:[{s:s, s:f}]}", "model", "p/n/v", "state", "healthy", "kpis", "name", "recall",
                              "observed", 0.5);
    history_add(history, other, 20 * INT64_C(1000000000), 20);
    json_decref(other);
    json_t *json = kept("p/n/v");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "samples")), 1);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "kpis"), 0)), "recall");
    json_decref(json);
}
END_TEST

/* --- answers that are shared --- */

#define S INT64_C(1000000000)

static struct answers *answers;
static struct inbox *asked, *told;

static void enter_answers(void)
{
    ck_assert_int_eq(inbox_new(&asked), 0);
    ck_assert_int_eq(inbox_new(&told), 0);
    ck_assert_int_eq(answers_new(&answers, asked, told), 0);
}

static void leave_answers(void)
{
    answers_destroy(&answers);
    inbox_destroy(&asked);
    inbox_destroy(&told);
}

/* Answers the oldest question; false when nobody waits for it. */
static bool reply(const char *text)
{
    struct letter letter;
    ck_assert(inbox_take(asked, &letter));
    struct question *question = letter.body;
    question->answer = strdup(text);
    bool wanted = answers_take(answers, question);
    question_drop(question);
    return wanted;
}

START_TEST(many_share_one_question_for_a_second)
{
    const struct answer *answer;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(answers_get(answers, "a", 10 * S, 10 * S + i, &answer), ANSWERS_WAIT);
    ck_assert_uint_eq(inbox_count(asked), 1);
    ck_assert(reply("one"));
    ck_assert_int_eq(answers_get(answers, "a", 11 * S, 11 * S, &answer), ANSWERS_READY);
    ck_assert_str_eq(answer_body(answer)->text, "one");
    ck_assert_int_eq(answers_get(answers, "a", 11 * S + 1, 11 * S + 1, &answer), ANSWERS_WAIT);
    ck_assert(reply("two"));
    /* Who had begun before is content with either, and is not made to wait again. */
    ck_assert_int_eq(answers_get(answers, "a", 10 * S, 20 * S, &answer), ANSWERS_READY);
    ck_assert_str_eq(answer_body(answer)->text, "two");
}
END_TEST

/* What is kept makes room for what is asked; what is being sent cannot, and then nothing more is asked for. */
START_TEST(bodies_have_their_room)
{
    const struct answer *answer;
    static char text[ANSWERS_BYTES_MAX / 4 + 1];
    struct body *sent[4];
    const char *const asks[] = {"a", "b", "c", "d"};
    memset(text, 'x', sizeof text - 1);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            int64_t now = (10 + round * 2) * S + i;
            ck_assert_int_eq(answers_get(answers, asks[i], now, now, &answer), ANSWERS_WAIT);
            ck_assert(reply(text));
            ck_assert_int_eq(answers_get(answers, asks[i], now, now, &answer), ANSWERS_READY);
            sent[i] = (struct body *)(uintptr_t)answer_body(answer);
        }
    }
    for (int i = 0; i < 4; i++)
        body_hold(sent[i]);
    ck_assert_int_eq(answers_get(answers, "e", 13 * S, 13 * S, &answer), ANSWERS_BUSY);
    ck_assert_uint_eq(inbox_count(asked), 0);
    body_release(sent[2]);
    ck_assert_int_eq(answers_get(answers, "e", 13 * S, 13 * S, &answer), ANSWERS_WAIT);
    ck_assert(reply("short"));
    for (int i = 0; i < 4; i++) {
        if (i != 2)
            body_release(sent[i]);
    }
}
END_TEST

START_TEST(who_is_too_late_is_not_waited_for)
{
    const struct answer *answer;
    ck_assert_int_eq(answers_get(answers, "a", 10 * S, 10 * S, &answer), ANSWERS_WAIT);
    ck_assert(!answers_give_up(answers, 12 * S));
    ck_assert(answers_give_up(answers, 20 * S));
    ck_assert_int_eq(answers_get(answers, "a", 10 * S, 20 * S, &answer), ANSWERS_READY);
    ck_assert_ptr_nonnull(strstr(answer_body(answer)->text, "\"timeout\""));
    ck_assert(!reply("late"));
}
END_TEST

START_TEST(questions_are_bounded)
{
    const struct answer *answer;
    char ask[16];
    int waiting = 0;
    enum answers_state state = ANSWERS_WAIT;
    while (state == ANSWERS_WAIT && waiting < 1000) {
        snprintf(ask, sizeof ask, "%d", waiting++);
        state = answers_get(answers, ask, 10 * S, 10 * S, &answer);
    }
    ck_assert_int_eq(state, ANSWERS_BUSY);
    ck_assert_int_lt(waiting, 100);
    ck_assert(reply("one")); /* gives its place away */
    ck_assert_int_eq(answers_get(answers, "another", 10 * S, 10 * S, &answer), ANSWERS_WAIT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("history");
    TCase *cases = tcase_create("history"), *shared = tcase_create("answers");
    tcase_add_checked_fixture(cases, enter, leave);
    tcase_add_test(cases, samples_in_order_at_their_times);
    tcase_add_test(cases, the_oldest_give_way);
    tcase_add_test(cases, other_kpis_begin_anew);
    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(shared, enter_answers, leave_answers);
    tcase_add_test(shared, many_share_one_question_for_a_second);
    tcase_add_test(shared, bodies_have_their_room);
    tcase_add_test(shared, who_is_too_late_is_not_waited_for);
    tcase_add_test(shared, questions_are_bounded);
    suite_add_tcase(suite, shared);
    return run_suite(suite);
}
