/* blast.c - a serving fleet that never waits for itself: replays pre-encoded ZMTP 3.0 traffic over TCP.
 *
 *   blast HOST PORT MODELS MESSAGES [json|msgpack] [ROWS] [MESSAGES_PER_S] [FIRST]
 *
 * Connects as a PUB to a bound SUB, encodes some laps (a message for each model) once, and writes them until MESSAGES are
 * sent, with `seq` patched in place. TCP holds it back when the receiver is slower, so nothing is ever dropped and the
 * receiver is what is measured. ROWS > 1 sends batches of so many events in one message; `seq` begins at FIRST.
 *
 * The daemon counts what is missing by seq; a bench whose count of lost messages is not 0 has failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/traffic.h"

#define LAPS 8 /* with different values, before they come again, */
#define MESSAGES_ENCODED 2000000 /* where they do not take more than so many messages */
#define NODES 16

struct lap {
    unsigned char *bytes;
    size_t len, room;
    size_t *seq_at; /* where each message's seq stands */
    size_t *end_at; /* where each message ends */
    size_t count;
    bool msgpack;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "blast: %s: %s\n", what, errno ? strerror(errno) : "protocol");
    exit(1);
}

static void put(struct lap *lap, const void *data, size_t bytes)
{
    if (lap->len + bytes > lap->room) {
        lap->room = (lap->room + bytes) * 2;
        lap->bytes = realloc(lap->bytes, lap->room);
        if (!lap->bytes)
            die("memory");
    }
    memcpy(lap->bytes + lap->len, data, bytes);
    lap->len += bytes;
}

static void put_frame(struct lap *lap, const void *data, size_t bytes, bool more)
{
    unsigned char head[9] = {more ? 1 : 0, (unsigned char)bytes};
    size_t head_len = 2;
    if (bytes > 255) {
        head[0] |= 2;
        for (int i = 0; i < 8; i++)
            head[1 + i] = (unsigned char)(bytes >> (56 - 8 * i));
        head_len = 9;
    }
    put(lap, head, head_len);
    put(lap, data, bytes);
}

static void encode_message(struct lap *lap, uint64_t model, uint64_t values, unsigned rows, char *scratch)
{
    char topic[40];
    size_t topic_len = traffic_topic(topic, model), len = traffic_payload(scratch, values, rows, lap->msgpack);
    put_frame(lap, topic, topic_len, true);
    size_t payload_at = lap->len + (len > 255 ? 9 : 2);
    put_frame(lap, scratch, len, false);
    const char *key = lap->msgpack ? "seq\xcf" : "\"seq\":";
    char *at = memmem(scratch, len, key, strlen(key));
    lap->seq_at[lap->count] = payload_at + (size_t)(at - scratch) + strlen(key);
    lap->end_at[lap->count++] = lap->len;
}

/* Some laps, in which each model's values differ and its node stays the same. */
static void encode_laps(struct lap *lap, uint64_t models, unsigned rows)
{
    char *scratch = malloc(256 * (size_t)rows + 64);
    uint64_t messages = models * LAPS * rows > MESSAGES_ENCODED ? models : models * LAPS;
    lap->seq_at = calloc(messages, sizeof *lap->seq_at);
    lap->end_at = calloc(messages, sizeof *lap->end_at);
    if (!scratch || !lap->seq_at || !lap->end_at)
        die("memory");
    while (lap->count < messages) {
        uint64_t model = lap->count % models, round = lap->count / models;
        encode_message(lap, model, (model + round * NODES * 37) % models, rows, scratch);
    }
    free(scratch);
}

/* Puts the number of each message's lap in. */
static void patch_seq(struct lap *lap, size_t first, size_t end, uint64_t seq)
{
    for (size_t m = first; m < end; m++)
        traffic_seq((char *)lap->bytes + lap->seq_at[m], seq, lap->msgpack);
}

static void send_all(int fd, const unsigned char *data, size_t len)
{
    unsigned char sink[4096];
    while (len) {
        struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
        if (poll(&p, 1, 60000) <= 0)
            die("the receiver does not read");
        if (p.revents & POLLIN && recv(fd, sink, sizeof sink, MSG_DONTWAIT) == 0) /* subscriptions, pings */
            die("the receiver hung up");
        if (p.revents & (POLLERR | POLLHUP))
            die("connection");
        if (!(p.revents & POLLOUT))
            continue;
        ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            die("send");
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
}

/* So many messages a second, a few in each millisecond: a node that serves, not one that floods. */
static void pace(int fd, struct lap *lap, uint64_t models, uint64_t messages, uint64_t rate, uint64_t first_seq)
{
    struct timespec start, until;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint64_t sent = 0, tick = 1; sent < messages; tick++) {
        uint64_t due = tick * rate / 1000 < messages ? tick * rate / 1000 : messages;
        for (; sent < due; sent++) {
            size_t at = (size_t)(sent % lap->count);
            patch_seq(lap, at, at + 1, first_seq + sent / models);
            size_t from = at ? lap->end_at[at - 1] : 0;
            send_all(fd, lap->bytes + from, lap->end_at[at] - from);
        }
        uint64_t ns = (uint64_t)start.tv_nsec + tick * 1000000;
        until = (struct timespec){.tv_sec = start.tv_sec + (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

/* Before the traffic begins every byte of the peer is read in its turn. */
static void send_exact(int fd, const void *data, size_t bytes)
{
    if (send(fd, data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
        die("handshake");
}

static void read_exact(int fd, void *out, size_t bytes)
{
    for (size_t got = 0; got < bytes;) {
        ssize_t n = recv(fd, (char *)out + got, bytes - got, 0);
        if (n <= 0)
            die("handshake");
        got += (size_t)n;
    }
}

/* ZMTP 3.0 with the NULL mechanism: greeting, READY, then the peer's subscriptions. */
static int shake_hands(const char *host, const char *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    unsigned char greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'N', 'U', 'L', 'L'}, theirs[64];
    send_exact(fd, greeting, sizeof greeting);
    read_exact(fd, theirs, sizeof theirs);
    static const unsigned char ready[] = "\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB";
    send_exact(fd, ready, sizeof ready - 1);
    unsigned char head[2], body[255];
    read_exact(fd, head, 2);
    read_exact(fd, body, head[1]);
    read_exact(fd, head, 2); /* the first subscription: the receiver is there */
    read_exact(fd, body, head[1]);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: blast HOST PORT MODELS MESSAGES [json|msgpack] [ROWS] [MESSAGES_PER_S] [FIRST]\n");
        return 64;
    }
    uint64_t models = strtoull(argv[3], NULL, 10), messages = strtoull(argv[4], NULL, 10);
    struct lap lap = {.msgpack = argc > 5 && strcmp(argv[5], "msgpack") == 0};
    encode_laps(&lap, models, argc > 6 ? (unsigned)atoi(argv[6]) : 1);
    int fd = shake_hands(argv[1], argv[2]);
    uint64_t sent = 0, rate = argc > 7 ? strtoull(argv[7], NULL, 10) : 0;
    uint64_t first_seq = argc > 8 ? strtoull(argv[8], NULL, 10) : 0;
    if (rate) {
        pace(fd, &lap, models, messages, rate, first_seq);
        sent = messages;
    }
    for (uint64_t seq = 0; sent < messages; seq++) {
        size_t first = (size_t)(seq * models % lap.count), now = (size_t)(messages - sent < models ? messages - sent : models);
        patch_seq(&lap, first, first + now, first_seq + seq);
        size_t from = first ? lap.end_at[first - 1] : 0;
        send_all(fd, lap.bytes + from, lap.end_at[first + now - 1] - from);
        sent += now;
    }
    shutdown(fd, SHUT_WR);
    unsigned char sink[4096];
    while (recv(fd, sink, sizeof sink, 0) > 0) /* until the receiver has read everything and closes */
        ;
    close(fd);
    free(lap.bytes);
    free(lap.end_at);
    free(lap.seq_at);
    printf("%llu\n", (unsigned long long)sent);
    return 0;
}
