#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/inbox.h"
#include "tests/run_suite.h"

static bool readable(const struct inbox *inbox)
{
    struct pollfd poller = {.fd = inbox_fd(inbox), .events = POLLIN};
    return poll(&poller, 1, 0) == 1;
}

START_TEST(letters_come_out_in_order)
{
    struct inbox *inbox;
    ck_assert_int_eq(inbox_new(&inbox), 0);
    static int bodies[3];
    struct letter out;
    ck_assert(!inbox_take(inbox, &out));
    ck_assert(!readable(inbox));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(inbox_put(inbox, (struct letter){.kind = LETTER_NOTICE, .body = &bodies[i]}), 0);
    ck_assert_uint_eq(inbox_count(inbox), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert(readable(inbox));
        ck_assert(inbox_take(inbox, &out));
        ck_assert_ptr_eq(out.body, &bodies[i]);
    }
    ck_assert(!readable(inbox));
    ck_assert(!inbox_take(inbox, &out));
    ck_assert_uint_eq(inbox_count(inbox), 0);
    inbox_destroy(&inbox);
    ck_assert_ptr_null(inbox);
    inbox_destroy(&inbox);
}
END_TEST

static int dropped;

static void count_drop(void *body)
{
    dropped++;
    free(body);
}

START_TEST(what_is_left_is_dropped)
{
    struct inbox *inbox;
    ck_assert_int_eq(inbox_new(&inbox), 0);
    dropped = 0;
    for (int i = 0; i < 5; i++)
        inbox_put(inbox, (struct letter){.kind = LETTER_EVENT, .body = malloc(8), .drop = count_drop});
    inbox_put(inbox, (struct letter){.kind = LETTER_STOP});
    struct letter out;
    ck_assert(inbox_take(inbox, &out));
    free(out.body);
    inbox_destroy(&inbox);
    ck_assert_int_eq(dropped, 4);
}
END_TEST

enum { WRITERS = 4, LETTERS = 5000 };

static void *write_letters(void *argument)
{
    void **at = argument;
    for (uintptr_t i = 1; i <= LETTERS; i++)
        inbox_put(at[0], (struct letter){.kind = (int)(uintptr_t)at[1], .body = (void *)i});
    return NULL;
}

/* Each writer's letters arrive whole and in their order, and the descriptor never sleeps on a letter. */
START_TEST(many_writers_one_reader)
{
    struct inbox *inbox;
    ck_assert_int_eq(inbox_new(&inbox), 0);
    pthread_t threads[WRITERS];
    void *arguments[WRITERS][2];
    for (uintptr_t i = 0; i < WRITERS; i++) {
        arguments[i][0] = inbox;
        arguments[i][1] = (void *)i;
        pthread_create(&threads[i], NULL, write_letters, arguments[i]);
    }
    uintptr_t last[WRITERS] = {0};
    for (int taken = 0; taken < WRITERS * LETTERS;) {
        struct pollfd poller = {.fd = inbox_fd(inbox), .events = POLLIN};
        ck_assert_int_eq(poll(&poller, 1, 30000), 1);
        struct letter out;
        while (inbox_take(inbox, &out)) {
            ck_assert_uint_eq((uintptr_t)out.body, last[out.kind] + 1);
            last[out.kind]++;
            taken++;
        }
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert(!readable(inbox));
    inbox_destroy(&inbox);
}
END_TEST

START_TEST(bodies_know_how_to_go)
{
    question_drop(NULL);
    cloud_event_drop(NULL);
    struct question *question = calloc(1, sizeof *question);
    question->ask = strdup("{}");
    question->answer = strdup("{}");
    question_drop(question);
}
END_TEST

START_TEST(an_event_has_its_topic_and_text)
{
    struct cloud_event *event = cloud_event_new("driftd.retraining.done", "p/n/v", true, "{\"x\":1}, and more", 7);
    ck_assert_str_eq(event->topic, "driftd.retraining.done/p/n/v");
    ck_assert_str_eq(event->json, "{\"x\":1}");
    ck_assert(event->of_model);
    cloud_event_drop(event);
    event = cloud_event_new("driftd.alarm", NULL, false, "{}", 2);
    ck_assert_str_eq(event->topic, "driftd.alarm");
    ck_assert_str_eq(event->json, "{}");
    ck_assert(!event->of_model);
    cloud_event_drop(event);
    ck_assert_ptr_null(cloud_event_new("driftd.alarm", NULL, false, NULL, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inbox");
    TCase *tcase = tcase_create("inbox");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, letters_come_out_in_order);
    tcase_add_test(tcase, what_is_left_is_dropped);
    tcase_add_test(tcase, many_writers_one_reader);
    tcase_add_test(tcase, bodies_know_how_to_go);
    tcase_add_test(tcase, an_event_has_its_topic_and_text);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
