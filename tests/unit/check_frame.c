#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/frame.h"
#include "tests/run_suite.h"

/* The topic is beyond what libzmq keeps inside a message, the payload within. */
static void fill(struct frame *frame, unsigned number)
{
    char topic[100];
    memset(topic, 't', sizeof topic);
    frame_borrow(frame, topic, sizeof topic, (const char *)&number, sizeof number);
    ck_assert_int_eq(frame_hold(frame), 0);
    frame->hash = number * 3ull;
    frame->parts = 2;
    frame->kind = FRAME_METRICS;
    frame->accounts = true;
}

static unsigned number_of(struct frame *frame)
{
    unsigned number;
    ck_assert_uint_eq(frame->payload_len, sizeof number);
    memcpy(&number, frame->payload, sizeof number);
    ck_assert_uint_eq(frame->hash, number * 3ull);
    ck_assert_uint_eq(frame->topic_len, 100);
    char topic[100];
    memset(topic, 't', sizeof topic);
    ck_assert_int_eq(memcmp(frame->topic, topic, sizeof topic), 0);
    return number;
}

START_TEST(moved_and_shared)
{
    struct frame a, b;
    frame_init(&a);
    frame_init(&b);
    fill(&a, 7);
    frame_share(&b, &a);
    ck_assert_uint_eq(number_of(&b), 7);
    ck_assert_ptr_eq(a.topic, b.topic);
    frame_close(&a);
    frame_init(&a);
    frame_move(&a, &b);
    ck_assert_uint_eq(number_of(&a), 7);
    ck_assert_uint_eq(b.topic_len, 0);
    frame_close(&a);
    frame_close(&b);
}
END_TEST

START_TEST(borrowed_until_held)
{
    char topic[] = "metrics/p/n/v", payload[200] = "{}";
    struct frame frame;
    frame_init(&frame);
    for (int round = 0; round < 2; round++) { /* what it held goes when it borrows again */
        frame_borrow(&frame, topic, strlen(topic), payload, sizeof payload);
        ck_assert_ptr_eq(frame.payload, payload);
        ck_assert(!frame.holds);
        ck_assert_int_eq(frame_hold(&frame), 0);
        ck_assert(frame.holds);
        ck_assert_int_eq(frame_hold(&frame), 0);
    }
    memset(topic, 'x', sizeof topic);
    memset(payload, 'x', sizeof payload);
    ck_assert_uint_eq(frame.topic_len, 13);
    ck_assert_int_eq(memcmp(frame.topic, "metrics/p/n/v", 13), 0);
    ck_assert_uint_eq(frame.payload_len, 200);
    ck_assert_str_eq(frame.payload, "{}");
    frame_close(&frame);
}
END_TEST

START_TEST(a_full_ring_refuses)
{
    struct frame_ring *ring;
    struct frame frame, out[8];
    ck_assert_int_eq(ring_new(&ring, 4), 0);
    frame_init(&frame);
    for (int i = 0; i < 8; i++)
        frame_init(&out[i]);
    ck_assert_uint_eq(ring_take(ring, out, 8), 0);
    for (unsigned i = 0; i < 4; i++) {
        fill(&frame, i);
        ck_assert(ring_put(ring, &frame, 0));
    }
    ck_assert_uint_eq(ring_take(ring, out, 8), 0); /* not published yet */
    fill(&frame, 4);
    ck_assert(!ring_put(ring, &frame, 0));
    ck_assert_uint_eq(number_of(&frame), 4); /* still ours */
    ck_assert_uint_eq(ring_take(ring, out, 3), 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(number_of(&out[i]), i);
    ck_assert(ring_put(ring, &frame, 0));
    ring_publish(ring);
    ck_assert_uint_eq(ring_take(ring, out, 8), 2);
    ck_assert_uint_eq(number_of(&out[1]), 4);
    fill(&frame, 5);
    ck_assert(ring_put(ring, &frame, 0)); /* what is left inside goes with the ring */
    for (int i = 0; i < 8; i++)
        frame_close(&out[i]);
    frame_close(&frame);
    ring_destroy(&ring);
    ck_assert_ptr_null(ring);
    ring_destroy(&ring);
}
END_TEST

static bool readable(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    return poll(&poller, 1, 0) == 1;
}

START_TEST(only_a_sleeper_is_woken)
{
    struct frame_ring *ring;
    struct frame frame, out;
    ck_assert_int_eq(ring_new(&ring, 4), 0);
    frame_init(&frame);
    frame_init(&out);
    fill(&frame, 1);
    ring_put(ring, &frame, 0);
    ring_publish(ring);
    ck_assert(!readable(ring_fd(ring)));
    ck_assert(!ring_may_sleep(ring)); /* there is something */
    ck_assert_uint_eq(ring_take(ring, &out, 1), 1);
    ck_assert(ring_may_sleep(ring));
    ck_assert(!readable(ring_fd(ring)));
    fill(&frame, 2);
    ring_put(ring, &frame, 0);
    ck_assert(!readable(ring_fd(ring)));
    ring_publish(ring);
    ck_assert(readable(ring_fd(ring)));
    ring_awake(ring);
    ck_assert(!readable(ring_fd(ring)));
    frame_close(&frame);
    frame_close(&out);
    ring_destroy(&ring);
}
END_TEST

enum { FRAMES = 60000 };

static void *put_all(void *argument)
{
    struct frame_ring *ring = argument;
    struct frame frame;
    frame_init(&frame);
    for (unsigned i = 0; i < FRAMES; i++) {
        fill(&frame, i);
        while (!ring_put(ring, &frame, 1000))
            ;
        if (i % 7 == 0 || i == FRAMES - 1)
            ring_publish(ring);
    }
    frame_close(&frame);
    return NULL;
}

/* Both sides sleep and are woken many times; every frame arrives, in order. */
START_TEST(two_threads)
{
    struct frame_ring *ring;
    struct frame out[5];
    ck_assert_int_eq(ring_new(&ring, 16), 0);
    for (int i = 0; i < 5; i++)
        frame_init(&out[i]);
    pthread_t thread;
    pthread_create(&thread, NULL, put_all, ring);
    for (unsigned next = 0; next < FRAMES;) {
        uint32_t got = ring_take(ring, out, 5);
        for (uint32_t i = 0; i < got; i++)
            ck_assert_uint_eq(number_of(&out[i]), next++);
        if (got == 0 && ring_may_sleep(ring)) {
            struct pollfd poller = {.fd = ring_fd(ring), .events = POLLIN};
            ck_assert_int_eq(poll(&poller, 1, 30000), 1);
            ring_awake(ring);
        }
    }
    pthread_join(thread, NULL);
    for (int i = 0; i < 5; i++)
        frame_close(&out[i]);
    ring_destroy(&ring);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frame");
    TCase *tcase = tcase_create("frame");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, moved_and_shared);
    tcase_add_test(tcase, borrowed_until_held);
    tcase_add_test(tcase, a_full_ring_refuses);
    tcase_add_test(tcase, only_a_sleeper_is_woken);
    tcase_add_test(tcase, two_threads);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
