#include <check.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/workers/worker.h"
#include "daemon/workers/workers.h"
#include "tests/run_suite.h"

#define S INT64_C(1000000000)
enum { THREADS = 3, MODELS = 60 };

/* --- what shards tell, each from its own thread --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint32_t triggered, serving;

static const struct kpi_budget kpis[] = {{.metric = "accuracy", .min = 0.80, .max = NAN, .over = WINDOW_MEAN}};
static const struct monitor_settings judged = {.window = 4,
                                               .min_events = 1,
                                               .consecutive_failures = 3,
                                               .recover_after = 4,
                                               .backoff_ns = 3600 * S,
                                               .kpis = kpis,
                                               .kpi_count = 1};

static int settings_for(void *argument, const struct model_id *model, const struct monitor_settings **out)
{
    (void)argument, (void)model;
    *out = &judged;
    return 0;
}

static void take_notice(void *argument, struct retrain_notice *notice)
{
    (void)argument;
    pthread_mutex_lock(&mutex);
    triggered += notice->kind == NOTICE_TRIGGERED;
    serving += notice->kind == NOTICE_SERVING;
    pthread_mutex_unlock(&mutex);
    retrain_notice_destroy(&notice);
}

static void take_event(void *argument, struct cloud_event *event)
{
    (void)argument;
    cloud_event_drop(event);
}

static const struct shard_ports ports = {
    .settings = settings_for, .notice = take_notice, .event = take_event, .source = "driftd/test"};

/* A thread's CPU time of which each look takes a hundredth of a second. */
static _Thread_local int64_t cpu_ns;

static int64_t look_at_cpu(void)
{
    return cpu_ns += S / 100;
}

static struct workers *workers;
static struct inbox *replies;

static void enter_with(uint32_t threads, int64_t (*lend_by)(void))
{
    struct workers_options options = {.threads = threads,
                                      .lend_by = lend_by,
                                      .key = {3, 4},
                                      .max_message_bytes = 100000,
                                      .max_future_s = 300,
                                      .max_models = MODELS};
    triggered = serving = 0;
    ck_assert_int_eq(inbox_new(&replies), 0);
    ck_assert_int_eq(workers_new(&workers, &options, &ports), 0);
    ck_assert_uint_eq(workers_shards(workers), threads ? threads : 1);
}

static void enter(void)
{
    enter_with(THREADS, NULL);
}

static void enter_lent(void)
{
    enter_with(0, look_at_cpu);
}

static void leave(void)
{
    workers_destroy(&workers);
    inbox_destroy(&replies);
}

/* Borrows: what it held would stay behind where it is returned from. */
static struct frame frame_of(enum frame_kind kind, const char *topic, const char *payload)
{
    struct frame frame;
    frame_init(&frame);
    frame_borrow(&frame, topic, strlen(topic), payload, strlen(payload));
    frame.kind = kind;
    frame.parts = 2;
    return frame;
}

static void put_at(enum frame_kind kind, const char *topic, const char *payload, struct now now)
{
    struct frame frame = frame_of(kind, topic, payload);
    ck_assert_int_eq(frame_hold(&frame), 0); /* as of libzmq's: what is borrowed is not lent */
    workers_take(workers, &frame, 1, now);
    frame_close(&frame);
}

static void put(enum frame_kind kind, const char *topic, const char *payload)
{
    put_at(kind, topic, payload, clock_now());
}

/* Each model's frames stay in order and on one shard; what was handed over before the stop is judged. */
START_TEST(every_frame_finds_its_shard)
{
    char topic[64];
    ck_assert_int_eq(workers_start(workers), 0);
    for (int i = 0; i < 100 * MODELS; i++) {
        snprintf(topic, sizeof topic, "metrics/p/m%d/v", i % MODELS);
        put(FRAME_METRICS, topic, i % MODELS < 7 ? "{\"accuracy\":0.5}" : "{\"accuracy\":0.9}");
    }
    workers_stop(workers);
    ck_assert_uint_eq(workers_sums(workers).events, 100 * MODELS);
    ck_assert_uint_eq(workers_models(workers), MODELS);
    ck_assert_uint_eq(triggered, 7);
    ck_assert_uint_eq(serving, MODELS);
    for (uint32_t i = 0; i < THREADS; i++)
        ck_assert_uint_gt(heart_count(workers_heart(workers, i)), 0);
}
END_TEST

/* A batch of all models goes to all shards; its events count once, its drops and its sequence too. */
START_TEST(a_batch_is_shared_out)
{
    static char batch[MODELS * 80 + 100];
    ck_assert_int_eq(workers_start(workers), 0);
    for (int seq = 0; seq < 20; seq++) {
        if (seq == 5 || seq == 6)
            continue;
        int used = snprintf(batch, sizeof batch,
                            "[{\"model\":\"p/m0/v\",\"accuracy\":7,\"node\":\"n\",\"boot\":1,\"seq\":%d}", seq);
        for (int i = 0; i < MODELS; i++)
            used += snprintf(batch + used, sizeof batch - (size_t)used, ",{\"model\":\"p/m%d/v\",\"accuracy\":0.9}", i);
        snprintf(batch + used, sizeof batch - (size_t)used, "]");
        put(FRAME_BATCH, "batch/n", batch);
    }
    put(FRAME_BEACON, "beacon/n", "{\"node\":\"n\",\"boot\":1,\"topics\":{\"batch\":21}}");
    put(FRAME_BATCH, "batch/n", "{");
    workers_stop(workers);
    struct workers_sums sums = workers_sums(workers);
    ck_assert_uint_eq(sums.events, 18 * MODELS);
    ck_assert_uint_eq(sums.dropped, 18 + 1);
    ck_assert_uint_eq(sums.lost, 2 + 2);
    ck_assert_uint_eq(workers_models(workers), MODELS);
}
END_TEST

/* The bound holds for all shards together. */
START_TEST(models_are_bounded_together)
{
    char topic[64];
    ck_assert_int_eq(workers_start(workers), 0);
    for (int i = 0; i < 3 * MODELS; i++) {
        snprintf(topic, sizeof topic, "metrics/p/m%d/v", i);
        put(FRAME_METRICS, topic, "{\"accuracy\":0.9}");
    }
    workers_stop(workers);
    ck_assert_uint_eq(workers_models(workers), MODELS);
    ck_assert_uint_eq(workers_sums(workers).events, MODELS);
    ck_assert_uint_eq(workers_sums(workers).dropped, 2 * MODELS);
}
END_TEST

/* Letters that wait at the start are read before the first frame: back-off holds from the first event on. */
START_TEST(the_store_speaks_first)
{
    char topic[64];
    enum { ROUNDS = 10 }; /* more letters for each shard than it takes in one turn; the last ones count */
    for (int i = 0; i < ROUNDS * MODELS; i++) {
        struct retrain_update *update = calloc(1, sizeof *update);
        snprintf(update->model, sizeof update->model, "p/m%d/v", i % MODELS);
        update->episode = 1;
        update->triggered_ns = i < (ROUNDS - 1) * MODELS ? retrain_never_ns() : clock_now().steady_ns - S;
        update->ended_ns = retrain_never_ns();
        workers_update(workers, update);
    }
    for (int i = 0; i < 5 * MODELS; i++) {
        snprintf(topic, sizeof topic, "metrics/p/m%d/v", i % MODELS);
        put(FRAME_METRICS, topic, "{\"accuracy\":0.5}");
    }
    ck_assert_int_eq(workers_start(workers), 0);
    workers_stop(workers);
    ck_assert_uint_eq(workers_sums(workers).events, 5 * MODELS);
    ck_assert_uint_eq(triggered, 0);
}
END_TEST

START_TEST(each_shard_answers)
{
    ck_assert_int_eq(workers_start(workers), 0);
    put(FRAME_METRICS, "metrics/p/n/v", "{\"accuracy\":0.9}");
    for (uint32_t i = 0; i < THREADS; i++) {
        struct question *question = calloc(1, sizeof *question);
        question->ask = strdup("{\"do\":\"status\"}");
        question->reply_to = replies;
        inbox_put(workers_inbox(workers, i), (struct letter){LETTER_QUESTION, question, question_drop});
    }
    unsigned heard = 0;
    for (int i = 0; i < THREADS; i++) {
        struct pollfd poller = {.fd = inbox_fd(replies), .events = POLLIN};
        struct letter letter;
        ck_assert_int_eq(poll(&poller, 1, 20000), 1);
        ck_assert(inbox_take(replies, &letter));
        heard |= 1u << ((struct question *)letter.body)->from;
        question_drop(letter.body);
    }
    ck_assert_uint_eq(heard, 7);
    workers_stop(workers);
}
END_TEST

/* --- a thread that is lent to --- */

enum { A_SECOND = 128 };
static uint64_t sent; /* messages */

/* A second of ingest's: so many messages, of which none may overtake another, and what receiving each took. */
static void second(int number, uint32_t messages, int64_t receive_ns)
{
    static const char *const metrics = "metrics/p/m/v";
    struct now now = {.steady_ns = (1000 + number) * S, .wall_s = 1.8e9 + number};
    char payload[64];
    workers_turn(workers, now);
    for (uint32_t i = 0; i < messages; i++) {
        snprintf(payload, sizeof payload, "{\"accuracy\":0.9,\"node\":\"n\",\"boot\":1,\"seq\":%u}", (unsigned)sent++);
        put_at(FRAME_METRICS, metrics, payload, now);
        cpu_ns += receive_ns;
    }
}

/* The thread gives back by itself; ingest notices at a turn. */
static void wait_returned(int number)
{
    for (int i = 0; i < 20000 && workers_judging(workers); i++) {
        struct pollfd poller = {.fd = workers_fd(workers), .events = POLLIN};
        poll(&poller, 1, 1);
        workers_turn(workers, (struct now){.steady_ns = (1000 + number) * S});
    }
    ck_assert_uint_eq(workers_judging(workers), 0);
}

START_TEST(a_busy_shard_is_lent_to_a_thread_and_comes_back)
{
    int at = 0;
    sent = 0;
    ck_assert_int_eq(workers_start(workers), 0);
    ck_assert_uint_eq(workers_threads(workers), 1);
    for (int round = 0; round < 3; round++) {
        ck_assert_uint_eq(workers_judging(workers), 0);
        for (int i = 0; i < 5; i++)
            second(at++, A_SECOND, S / A_SECOND);
        ck_assert_uint_eq(workers_judging(workers), 1);
        for (int i = 0; i < 12; i++) /* receiving takes longer than judging; it comes back amid traffic */
            second(at++, 8 * A_SECOND, S / 50);
        wait_returned(at);
    }
    workers_stop(workers);
    struct workers_sums sums = workers_sums(workers);
    ck_assert_uint_eq(sums.events, sent);
    ck_assert_uint_eq(sums.lost, 0);
    ck_assert_uint_eq(sums.dropped, 0);
}
END_TEST

/* Ingest is in the middle of a hand-over as the thread gives the shard back, and the ring is full. */
START_TEST(a_full_ring_that_nobody_empties_is_taken_by_who_fills_it)
{
    const struct now now = {.steady_ns = 1000 * S, .wall_s = 1.8e9};
    struct worker worker = {.left = true};
    atomic_uint models = 0;
    const struct shard_options options = {
        .shards = 1, .max_message_bytes = 1000, .max_future_s = 300, .max_models = 1, .model_count = &models};
    char payload[64];
    ck_assert_int_eq(shard_new(&worker.shard, &options, &ports), 0);
    ck_assert_int_eq(ring_new(&worker.ring, 4), 0);
    for (unsigned seq = 0; seq < 9; seq++) {
        snprintf(payload, sizeof payload, "{\"accuracy\":0.9,\"node\":\"n\",\"boot\":1,\"seq\":%u}", seq);
        struct frame frame = frame_of(FRAME_METRICS, "metrics/p/m/v", payload);
        worker_put(&worker, &frame, now);
        frame_close(&frame);
    }
    ring_publish(worker.ring);
    ck_assert_uint_eq(shard_events(worker.shard), 8);
    worker_take(&worker, NULL, 0, now);
    ck_assert_uint_eq(shard_events(worker.shard), 9);
    ck_assert_uint_eq(shard_lost(worker.shard), 0);
    ring_destroy(&worker.ring);
    shard_destroy(&worker.shard);
}
END_TEST

/* The daemon stops while the thread is about to give the shard back: it ends all the same, and nothing is left. */
START_TEST(a_stop_overtakes_a_recall)
{
    const struct now now = {.steady_ns = 1000 * S, .wall_s = 1.8e9};
    for (int round = 0; round < 1000; round++) {
        struct worker worker = {.runner = RUNNER_THREAD};
        atomic_uint models = 0;
        const struct shard_options options = {
            .shards = 1, .max_message_bytes = 1000, .max_future_s = 300, .max_models = 1, .model_count = &models};
        ck_assert_int_eq(shard_new(&worker.shard, &options, &ports), 0);
        ck_assert_int_eq(ring_new(&worker.ring, 64), 0);
        ck_assert_int_eq(worker_start(&worker, 0), 0);
        for (int i = 0; i < round % 40; i++) {
            struct frame frame = frame_of(FRAME_METRICS, "metrics/p/m/v", "{\"accuracy\":0.9}");
            worker_put(&worker, &frame, now);
            ring_publish(worker.ring);
            frame_close(&frame);
        }
        worker_recall(&worker);
        for (volatile int wait = round * 7919 % 20000; wait > 0; wait--)
            ; /* the stop comes before, in the middle of, or behind what the thread does */
        worker_stop_begin(&worker);
        worker_stop_finish(&worker);
        ck_assert_uint_eq(shard_events(worker.shard), (uint64_t)(round % 40));
        ring_destroy(&worker.ring);
        shard_destroy(&worker.shard);
    }
}
END_TEST

/* Letters are taken by whoever runs the shard; the last ones by the thread, as there is no ingest any more. */
START_TEST(a_thread_that_was_never_lent_to_ends)
{
    ck_assert_int_eq(workers_start(workers), 0);
    second(0, 10, 0);
    ck_assert_uint_eq(workers_judging(workers), 0);
    workers_stop(workers);
    ck_assert_uint_eq(workers_sums(workers).events, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("workers");
    TCase *tcase = tcase_create("workers");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, enter, leave);
    tcase_add_test(tcase, every_frame_finds_its_shard);
    tcase_add_test(tcase, a_batch_is_shared_out);
    tcase_add_test(tcase, models_are_bounded_together);
    tcase_add_test(tcase, the_store_speaks_first);
    tcase_add_test(tcase, each_shard_answers);
    suite_add_tcase(suite, tcase);
    TCase *lent = tcase_create("lent");
    tcase_set_timeout(lent, 60);
    tcase_add_checked_fixture(lent, enter_lent, leave);
    tcase_add_test(lent, a_busy_shard_is_lent_to_a_thread_and_comes_back);
    tcase_add_test(lent, a_full_ring_that_nobody_empties_is_taken_by_who_fills_it);
    tcase_add_test(lent, a_stop_overtakes_a_recall);
    tcase_add_test(lent, a_thread_that_was_never_lent_to_ends);
    suite_add_tcase(suite, lent);
    return run_suite(suite);
}
