/* blast.c - a serving fleet that never waits for itself: replays pre-encoded ZMTP 3.0 traffic over TCP.
 *
 *   blast HOST PORT MODELS MESSAGES [json|msgpack] [ROWS]
 *
 * Connects as a PUB to a bound SUB, encodes one lap (a message for each model) once, and writes laps until MESSAGES are
 * sent, with `seq` patched in place. TCP holds it back when the receiver is slower, so nothing is ever dropped and the
 * receiver is what is measured. ROWS > 1 sends batches of so many events in one message.
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
#include <unistd.h>

#define SEQ_DIGITS 12

struct lap {
    unsigned char *bytes;
    size_t len, room;
    size_t *seq_at; /* where each message's seq stands */
    size_t *end_at; /* where each message ends */
    size_t count;
    bool msgpack;
};

static void die(const char *what)
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

/* Deterministic values around what a healthy detector would say. */
static double wobble(uint64_t i, double base, double span)
{
    uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return base + span * ((double)(z >> 11) / 9007199254740992.0 - 0.5);
}

static size_t json_event(char *out, size_t room, uint64_t i, bool first)
{
    char seq[64] = "";
    if (first)
        snprintf(seq, sizeof seq, "\"node\":\"n%02u\",\"boot\":1,\"seq\":%*u,", (unsigned)(i % 16), SEQ_DIGITS, 0u);
    return (size_t)snprintf(out, room,
                            "{%s\"accuracy\":%.4f,\"precision\":%.4f,\"recall\":%.4f,\"latency_ms\":%.2f,\"processed_fps\":%.1f}",
                            seq, wobble(i, 0.95, 0.04), wobble(i + 1, 0.94, 0.04), wobble(i + 2, 0.93, 0.04),
                            wobble(i + 3, 40, 20), wobble(i + 4, 30, 4));
}

static size_t msgpack_number(unsigned char *out, const char *name, double value)
{
    size_t n = strlen(name);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    out[0] = (unsigned char)(0xa0 | n);
    memcpy(out + 1, name, n);
    out[n + 1] = 0xcb;
    for (int b = 0; b < 8; b++)
        out[n + 2 + (size_t)b] = (unsigned char)(bits >> (56 - 8 * b));
    return n + 10;
}

static size_t msgpack_event(unsigned char *out, uint64_t i, bool first)
{
    static const unsigned char seq[] = {0xa4, 'n', 'o', 'd', 'e', 0xa1, 'n', 0xa4, 'b', 'o', 'o', 't', 1,
                                        0xa3, 's', 'e', 'q', 0xcf, 0, 0, 0, 0, 0, 0, 0, 0};
    size_t len = 1;
    out[0] = (unsigned char)(0x80 | (first ? 8 : 5));
    if (first) {
        memcpy(out + len, seq, sizeof seq);
        len += sizeof seq;
    }
    len += msgpack_number(out + len, "accuracy", wobble(i, 0.95, 0.04));
    len += msgpack_number(out + len, "precision", wobble(i + 1, 0.94, 0.04));
    len += msgpack_number(out + len, "recall", wobble(i + 2, 0.93, 0.04));
    len += msgpack_number(out + len, "latency_ms", wobble(i + 3, 40, 20));
    len += msgpack_number(out + len, "processed_fps", wobble(i + 4, 30, 4));
    return len;
}

static void encode_message(struct lap *lap, uint64_t model, unsigned rows, char *scratch, size_t room)
{
    char topic[64];
    size_t topic_len = (size_t)snprintf(topic, sizeof topic, "metrics/bench/model-%07u/v1", (unsigned)model);
    size_t len = 0;
    if (rows > 1) {
        if (lap->msgpack) {
            scratch[len++] = (char)0xdc;
            scratch[len++] = (char)(rows >> 8);
            scratch[len++] = (char)rows;
        } else {
            scratch[len++] = '[';
        }
    }
    for (unsigned r = 0; r < rows; r++) {
        if (r && !lap->msgpack)
            scratch[len++] = ',';
        len += lap->msgpack ? msgpack_event((unsigned char *)scratch + len, model * 64 + r, r == 0)
                            : json_event(scratch + len, room - len, model * 64 + r, r == 0);
    }
    if (rows > 1 && !lap->msgpack)
        scratch[len++] = ']';
    put_frame(lap, topic, topic_len, true);
    size_t payload_at = lap->len + (len > 255 ? 9 : 2);
    put_frame(lap, scratch, len, false);
    const char *key = lap->msgpack ? "seq\xcf" : "\"seq\":";
    char *at = memmem(scratch, len, key, strlen(key));
    lap->seq_at[model] = payload_at + (size_t)(at - scratch) + strlen(key);
    lap->end_at[model] = lap->len;
}

static void encode_lap(struct lap *lap, uint64_t models, unsigned rows)
{
    size_t room = 256 * (size_t)rows + 64;
    char *scratch = malloc(room);
    lap->seq_at = calloc(models, sizeof *lap->seq_at);
    lap->end_at = calloc(models, sizeof *lap->end_at);
    if (!scratch || !lap->seq_at || !lap->end_at)
        die("memory");
    for (uint64_t m = 0; m < models; m++)
        encode_message(lap, m, rows, scratch, room);
    lap->count = models;
    free(scratch);
}

static void patch_seq(struct lap *lap, uint64_t seq)
{
    unsigned char text[SEQ_DIGITS + 1];
    if (lap->msgpack) {
        for (int b = 0; b < 8; b++)
            text[b] = (unsigned char)(seq >> (56 - 8 * b));
    } else {
        snprintf((char *)text, sizeof text, "%*llu", SEQ_DIGITS, (unsigned long long)seq);
    }
    size_t width = lap->msgpack ? 8 : SEQ_DIGITS;
    for (size_t m = 0; m < lap->count; m++)
        memcpy(lap->bytes + lap->seq_at[m], text, width);
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
        fprintf(stderr, "usage: blast HOST PORT MODELS MESSAGES [json|msgpack] [ROWS]\n");
        return 64;
    }
    uint64_t models = strtoull(argv[3], NULL, 10), messages = strtoull(argv[4], NULL, 10);
    struct lap lap = {.msgpack = argc > 5 && strcmp(argv[5], "msgpack") == 0};
    encode_lap(&lap, models, argc > 6 ? (unsigned)atoi(argv[6]) : 1);
    int fd = shake_hands(argv[1], argv[2]);
    uint64_t sent = 0;
    for (uint64_t seq = 0; sent < messages; seq++) {
        patch_seq(&lap, seq);
        uint64_t now = messages - sent < models ? messages - sent : models;
        send_all(fd, lap.bytes, lap.end_at[now - 1]);
        sent += now;
    }
    shutdown(fd, SHUT_WR);
    unsigned char sink[4096];
    while (recv(fd, sink, sizeof sink, 0) > 0) /* until the receiver has read everything and closes */
        ;
    close(fd);
    printf("%llu\n", (unsigned long long)sent);
    return 0;
}
