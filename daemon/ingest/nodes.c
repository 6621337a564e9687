#include "daemon/ingest/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/ingest/nodes_inside.h"

int nodes_new(struct nodes **self_p, const struct nodes_options *options)
{
    struct nodes *self = calloc(1, sizeof *self);
    *self_p = self;
    if (!self)
        return -ENOMEM;
    self->options = *options;
    self->room = malloc(ROOM_BYTES);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    int error = !self->room ? ENOMEM : self->epoll < 0 ? errno : 0;
    if (error)
        nodes_destroy(self_p);
    return -error;
}

/* --- who is there --- */

void nodes_retire(struct nodes *self, struct node *node)
{
    self->retired[self->retired_count++] = node->rest;
    node->rest = NULL;
    node->rest_len = node->rest_room = 0;
}

void nodes_free_retired(struct nodes *self)
{
    while (self->retired_count > 0)
        free(self->retired[--self->retired_count]);
}

void nodes_forget(struct nodes *self, struct node *node)
{
    if (self->at_hand == node)
        self->at_hand = NULL;
    for (int i = self->ready_at; i < self->ready_count; i++) {
        if (self->ready[i].data.ptr == node)
            self->ready[i--] = self->ready[--self->ready_count];
    }
    *(node->before ? &node->before->next : &self->first) = node->next;
    *(node->next ? &node->next->before : &self->last) = node->before;
    atomic_fetch_sub_explicit(&self->count, 1, memory_order_relaxed);
    node_close(node);
}

void nodes_end(struct nodes *self, struct node *node, const char *why)
{
    atomic_fetch_add_explicit(&self->ended, 1, memory_order_relaxed);
    const uint64_t times = told_again(&self->told, node->peer, why, self->looked_ns, TOLD_NS);
    if (times > 0)
        log_warning("a node's connection was ended", LOG_TEXT("peer", node->peer), LOG_TEXT("why", why),
                    LOG_NUMBER("times", times));
    nodes_forget(self, node);
}

static bool watch(struct nodes *self, int fd, void *who)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    return epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

static void add(struct nodes *self, struct node *node)
{
    node->before = self->last;
    *(self->last ? &self->last->next : &self->first) = node;
    self->last = node;
    atomic_fetch_add_explicit(&self->count, 1, memory_order_relaxed);
    if (!watch(self, node->fd, node))
        nodes_end(self, node, "the kernel watches no more descriptors for this user");
}

/* Whoever waits at a door keeps it readable: without a descriptor to give, nobody looks there for a while. */
static void close_doors(struct nodes *self)
{
    log_warning("no descriptor is left for another node: it waits", LOG_NUMBER("nodes", nodes_count(self)));
    for (uint32_t i = 0; i < self->door_count; i++)
        epoll_ctl(self->epoll, EPOLL_CTL_DEL, self->doors[i].fd, NULL);
    self->full = true;
}

/* libzmq ends the process where it finds no descriptor for a peer of its own, be it a driftc of an operator: some are
 * left to it. Those that are given out are the lowest, so the next one tells. */
static bool some_are_left(const struct nodes *self)
{
    struct rlimit limit;
    const int next = fcntl(self->epoll, F_DUPFD_CLOEXEC, 0);
    if (next < 0)
        return false;
    close(next);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return true;
    const rlim_t quarter = limit.rlim_cur / 4, kept = quarter < NODES_LEAVE ? quarter : NODES_LEAVE;
    return (rlim_t)next < limit.rlim_cur - kept;
}

static void let_in_at(struct nodes *self, const struct door *door, int64_t now_ns)
{
    for (int i = 0; i < IN_A_TURN; i++) {
        if (!some_are_left(self)) {
            close_doors(self);
            return;
        }
        int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        const int error = fd < 0 ? errno : 0;
        if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
            close_doors(self);
        if (error && error != ECONNABORTED && error != EINTR)
            return;
        struct node *node = fd < 0 ? NULL : node_new(fd, door->fd, self->options.most_bytes, now_ns);
        if (node)
            add(self, node);
        else if (fd >= 0)
            close(fd);
    }
}

void nodes_let_in(struct nodes *self)
{
    const int64_t now_ns = clock_now().steady_ns;
    for (uint32_t i = 0; i < self->door_count && !self->full; i++)
        let_in_at(self, &self->doors[i], now_ns);
}

/* Bytes that the kernel has of it. */
static int waiting(const struct node *node)
{
    int bytes = 0;
    return ioctl(node->fd, FIONREAD, &bytes) < 0 ? 0 : bytes;
}

/* Whoever has said something that was not read yet does not keep us waiting. */
static bool is_late(const struct node *node)
{
    return node->zmtp.stage != ZMTP_TRAFFIC && node->left == NODE_WITHOUT_LIMIT && waiting(node) == 0;
}

void nodes_look_around(struct nodes *self, int64_t now_ns)
{
    self->looked_ns = now_ns;
    for (struct node *node = self->first, *next; node && now_ns - node->since_ns > LOOK_NS; node = next) {
        next = node->next;
        if (now_ns - node->since_ns > self->options.handshake_ns && is_late(node))
            nodes_end(self, node, "it has not finished ZMTP's handshake in time");
        else if (node->zmtp.stage == ZMTP_HANDSHAKE && node->answer_len == 0)
            (void)node_send_ready(node); /* it may wait for that */
    }
    bool watched = true;
    for (uint32_t i = 0; i < self->door_count && self->full; i++)
        watched = watch(self, self->doors[i].fd, NULL) && watched;
    self->full = !watched;
}

/* --- endpoints --- */

int nodes_open(void *argument, const char *key, const char *endpoint, char actual[ENDPOINT_MAX],
               char why[ENDPOINT_WHY_MAX])
{
    struct nodes *self = argument;
    if (self->door_count == DOORS_MAX) {
        snprintf(why, ENDPOINT_WHY_MAX, "%s: %s is one endpoint too many: there may be %d", key, endpoint, DOORS_MAX);
        return -ENOSPC;
    }
    struct door *door = &self->doors[self->door_count];
    door->fd = endpoint_listen(key, endpoint, self->options.dead_s, actual, why);
    if (door->fd < 0)
        return door->fd;
    if (!self->full && !watch(self, door->fd, NULL)) {
        int error = errno;
        endpoint_close(door->fd, actual);
        snprintf(why, ENDPOINT_WHY_MAX, "%s: %s cannot be watched: %s", key, endpoint, strerror(error));
        return -error;
    }
    memcpy(door->actual, actual, sizeof door->actual);
    self->door_count++;
    return 0;
}

/* What the kernel has received of those who came in there is still read. */
static void shut_out(struct nodes *self, int door)
{
    for (struct node *node = self->first, *next; node; node = next) {
        next = node->next;
        if (node->door != door)
            continue;
        node->door = -1;
        node->left = waiting(node);
        if (node->left == 0 && self->at_hand != node)
            nodes_forget(self, node);
    }
}

void nodes_shut(void *argument, const char *actual)
{
    struct nodes *self = argument;
    for (uint32_t i = 0; i < self->door_count; i++) {
        if (strcmp(self->doors[i].actual, actual) != 0)
            continue;
        shut_out(self, self->doors[i].fd);
        endpoint_close(self->doors[i].fd, actual);
        self->doors[i] = self->doors[--self->door_count];
        return;
    }
}

bool nodes_more(const struct nodes *self)
{
    return self->at_hand || self->cut || self->ready_at < self->ready_count;
}

int nodes_fd(const struct nodes *self)
{
    return self->epoll;
}

uint32_t nodes_count(const struct nodes *self)
{
    return atomic_load_explicit(&self->count, memory_order_relaxed);
}

uint64_t nodes_ended(const struct nodes *self)
{
    return atomic_load_explicit(&self->ended, memory_order_relaxed);
}

void nodes_destroy(struct nodes **self_p)
{
    struct nodes *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    while (self->first)
        nodes_forget(self, self->first);
    nodes_free_retired(self);
    for (uint32_t i = 0; i < self->door_count; i++)
        endpoint_close(self->doors[i].fd, self->doors[i].actual);
    if (self->epoll >= 0)
        close(self->epoll);
    free(self->room);
    free(self);
}
