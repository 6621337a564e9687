#include "daemon/observe/http.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/observe/http_inside.h"
#include "daemon/observe/http_listen.h"

#define IDLE_S 15u                       /* a connection that sends nothing and wants nothing */
#define REQUEST_NS (60 * CLOCK_S_NS)     /* a request from its first byte to the last of its response */
#define CONNECTION_BYTES ((size_t)16384) /* of memory each: bounds its headers */

/* --- connections --- */

static struct http_slot *slot_of(struct http *self, const struct MHD_Connection *connection)
{
    for (uint32_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        if (self->slots[i].connection == connection)
            return &self->slots[i];
    }
    return NULL;
}

static void connection_changed(void *argument, struct MHD_Connection *connection, void **socket_context,
                               enum MHD_ConnectionNotificationCode code)
{
    (void)socket_context;
    struct http *self = argument;
    bool begins = code == MHD_CONNECTION_NOTIFY_STARTED;
    struct http_slot *slot = slot_of(self, begins ? NULL : connection);
    if (slot)
        *slot = (struct http_slot){.connection = begins ? connection : NULL, .since_ns = self->now_ns};
    if (begins)
        atomic_fetch_add_explicit(&self->connections, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&self->connections, 1, memory_order_relaxed);
}

/* Who takes a minute to ask, or to read the answer, is let go: idle time alone would let him hold on byte by byte. */
static void end_slow_requests(struct http *self)
{
    for (uint32_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        struct http_slot *slot = &self->slots[i];
        if (!slot->connection || slot->waiting || self->now_ns - slot->since_ns < REQUEST_NS)
            continue;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(slot->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
            shutdown(info->connect_fd, SHUT_RDWR);
        slot->since_ns = self->now_ns;
    }
}

void http_wait(struct http *self, struct http_exchange *exchange)
{
    struct http_slot *slot = slot_of(self, exchange->connection);
    if (slot)
        slot->waiting = true;
    exchange->next = self->waiting;
    self->waiting = exchange;
    MHD_suspend_connection(exchange->connection);
}

void http_request_ended(struct http *self, const struct MHD_Connection *connection)
{
    struct http_slot *slot = slot_of(self, connection);
    if (slot)
        slot->since_ns = self->now_ns;
}

static void wake_all(struct http *self)
{
    struct http_exchange *exchange = self->waiting;
    self->waiting = NULL;
    while (exchange) {
        struct http_exchange *next = exchange->next;
        struct http_slot *slot = slot_of(self, exchange->connection);
        if (slot)
            slot->waiting = false;
        MHD_resume_connection(exchange->connection);
        exchange = next;
    }
}

/* --- what charts are drawn of --- */

static const char *const looked_at[] = {NULL, "{\"do\":\"models\",\"sort\":\"worst\",\"limit\":60}",
                                        "{\"do\":\"models\",\"named\":true,\"sort\":\"name\",\"limit\":60}"};
#define LOOKED_AT (sizeof looked_at / sizeof *looked_at)

/* Asks for one list after the other, every ten seconds. */
static void look_at_models(struct http *self)
{
    const struct answer *answer;
    if (!self->looking && self->now_ns - self->looked_ns >= HISTORY_EVERY_NS) {
        self->looked_ns = self->now_ns;
        self->looking = 1;
    }
    while (self->looking && answers_get(self->answers, looked_at[self->looking], self->looked_ns, self->now_ns,
                                        &answer) == ANSWERS_READY) {
        json_t *list = answer_body(answer) ? json_loads(answer_body(answer)->text, 0, NULL) : NULL, *model;
        size_t i;
        json_array_foreach(json_object_get(list, "models"), i, model)
        {
            history_add(self->history, model, self->now_ns, self->wall_s);
        }
        json_decref(list);
        self->looking = (self->looking + 1) % LOOKED_AT;
    }
}

/* --- the thread --- */

static bool take_letters(struct http *self)
{
    struct letter letter;
    bool stop = false, news = false;
    while (inbox_take(self->inbox, &letter)) {
        stop = stop || letter.kind == LETTER_STOP;
        if (letter.kind == LETTER_ANSWER)
            news = answers_take(self->answers, letter.body) || news;
        if (letter.drop)
            letter.drop(letter.body);
    }
    if (news)
        wake_all(self);
    return !stop;
}

static int pause_ms(const struct http *self)
{
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    if (MHD_get_timeout(self->daemon, &wanted_ms) == MHD_YES && wanted_ms < HEART_TURN_MAX_MS)
        return (int)wanted_ms;
    return HEART_TURN_MAX_MS;
}

bool http_turn(struct http *self, struct now now)
{
    if (!take_letters(self))
        return false;
    self->now_ns = now.steady_ns;
    self->wall_s = now.wall_s;
    look_at_models(self);
    if (answers_give_up(self->answers, self->now_ns))
        wake_all(self);
    end_slow_requests(self);
    MHD_run(self->daemon);
    return true;
}

static void *run(void *argument)
{
    struct http *self = argument;
    int events = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    while (http_turn(self, clock_now())) {
        heart_beat(&self->heart);
        struct pollfd pollers[] = {{.fd = events, .events = POLLIN}, {.fd = inbox_fd(self->inbox), .events = POLLIN}};
        poll(pollers, 2, pause_ms(self));
    }
    self->stopping = true;
    wake_all(self);
    MHD_run(self->daemon);
    return NULL;
}

/* --- from start to end --- */

int http_new(struct http **self_p, const struct http_options *options, char why[ENDPOINT_WHY_MAX])
{
    *self_p = NULL;
    snprintf(why, ENDPOINT_WHY_MAX, "no memory or descriptor for the HTTP station");
    struct http *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    int rc = inbox_new(&self->inbox);
    self->socket = rc < 0 ? -1 : http_listen(options->listen, self->address, sizeof self->address, why);
    if (rc == 0 && self->socket < 0)
        rc = self->socket;
    if (rc < 0) {
        http_destroy(&self);
        return rc;
    }
    http_set_hosts(self, options->hosts, options->host_count);
    *self_p = self;
    return 0;
}

const char *http_address(const struct http *self)
{
    return self->address;
}

int http_prepare(struct http *self, struct inbox *control)
{
    int rc = answers_new(&self->answers, control, self->inbox);
    if (rc == 0)
        rc = history_new(&self->history);
    if (rc < 0)
        return rc;
    self->now_ns = clock_now().steady_ns;
    self->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, http_serve, self,
                         MHD_OPTION_LISTEN_SOCKET, self->socket, MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
                         MHD_OPTION_NOTIFY_COMPLETED, http_served, self, MHD_OPTION_NOTIFY_CONNECTION,
                         connection_changed, self, MHD_OPTION_END);
    if (!self->daemon)
        return -ENOMEM;
    self->socket = -1; /* the daemon's from now on */
    return 0;
}

int http_start(struct http *self, struct inbox *control)
{
    int rc = http_prepare(self, control);
    if (rc < 0)
        return rc;
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error)
        return -error;
    self->started = true;
    pthread_setname_np(self->thread, "http");
    return 0;
}

const struct heart *http_heart(const struct http *self)
{
    return &self->heart;
}

json_t *http_facts(const struct http *self)
{
    return json_pack("{s:I, s:I, s:I}", "requests",
                     (json_int_t)atomic_load_explicit(&self->requests, memory_order_relaxed), "refused",
                     (json_int_t)atomic_load_explicit(&self->refused, memory_order_relaxed), "connections",
                     (json_int_t)atomic_load_explicit(&self->connections, memory_order_relaxed));
}

void http_stop(struct http *self)
{
    if (!self->started)
        return;
    while (inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
        poll(NULL, 0, 10);
    pthread_join(self->thread, NULL);
    self->started = false;
}

void http_destroy(struct http **self_p)
{
    struct http *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->daemon)
        MHD_stop_daemon(self->daemon);
    if (self->socket >= 0)
        close(self->socket);
    answers_destroy(&self->answers);
    history_destroy(&self->history);
    inbox_destroy(&self->inbox);
    free(self);
}
