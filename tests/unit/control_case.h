/* control_case.h - what the tests of the control station share: the station on a socket of its own, with shards and a
 * keeper of requests that the test plays.
 *
 * Threads: the test's; the station has its own. */
#ifndef TESTS_CONTROL_CASE_H
#define TESTS_CONTROL_CASE_H

#include <poll.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "tests/unit/folder.h"

static char folder[FOLDER_ROOM];
static char endpoint[FOLDER_ROOM + 16];
static struct control *control;
static struct control_ports ports;
static zsock_t *client;

/* `kind` is the client's. */
static inline void control_enter(uint32_t shards, int kind)
{
    char why[ENDPOINT_WHY_MAX], *bind[] = {endpoint};
    folder_make(folder);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/s", folder);
    zsys_handler_set(NULL);
    ck_assert_int_eq(control_new(&control, bind, 1, why), 0);
    ports.shard_count = shards;
    for (uint32_t i = 0; i < shards; i++)
        ck_assert_int_eq(inbox_new(&ports.shards[i]), 0);
    ck_assert_int_eq(inbox_new(&ports.requests), 0);
    ck_assert_int_eq(control_start(control, &ports), 0);
    client = zsock_new(kind);
    zsock_set_rcvtimeo(client, 20000);
    zsock_set_rcvhwm(client, 1);
    ck_assert_int_eq(zsock_connect(client, "%s", endpoint), 0);
}

static inline void control_leave(void)
{
    zsock_destroy(&client);
    control_stop(control);
    for (uint32_t i = 0; i < ports.shard_count; i++)
        inbox_destroy(&ports.shards[i]);
    inbox_destroy(&ports.requests);
    control_destroy(&control);
    folder_remove(folder);
}

/* The next question that the owner of `inbox` was asked. */
static inline struct question *control_asked(struct inbox *inbox)
{
    struct pollfd poller = {.fd = inbox_fd(inbox), .events = POLLIN};
    struct letter letter;
    ck_assert_int_eq(poll(&poller, 1, 20000), 1);
    ck_assert(inbox_take(inbox, &letter));
    ck_assert_int_eq(letter.kind, LETTER_QUESTION);
    return letter.body;
}

/* Answers it with `text`, which is taken over. */
static inline void control_answer(struct question *question, char *text)
{
    question->answer = text;
    ck_assert_int_eq(inbox_put(question->reply_to, (struct letter){LETTER_ANSWER, question, question_drop}), 0);
}

#endif
