/* publisher.c - a serving node on libzmq itself, with CURVE or without: what blast.c replays cannot be encrypted ahead.
 *
 *   publisher ENDPOINT MODELS MESSAGES [json|msgpack] [ROWS] [FIRST] [SERVER_KEY SECRET_KEY]
 *
 * Connects as an XPUB that does not drop (ZMQ_XPUB_NODROP): it waits while its queue is full, so the receiver is what
 * is measured, or the two cores that both share. The payloads of some laps (a message for each model) are encoded
 * before; `seq` is patched in place and begins at FIRST. With keys (Z85) it speaks CURVE, else NULL; all else is the
 * same.
 *
 * Stays until its standard input ends, so that nothing depends on what becomes of the rest when a socket closes. Then
 * prints the CPU-seconds of its own process since the first message.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#include "bench/traffic.h"

#define PAYLOADS_MOST 40000 /* encoded ahead, where a lap is no more than that */
#define PATIENCE_MS 60000
#define NODES 16

struct payload {
    char *bytes;
    size_t len, seq_at;
};

struct traffic {
    struct payload *payloads;
    uint64_t count; /* whole laps */
    uint64_t models;
    char (*topics)[40];
    bool msgpack;
};

static void die(const char *what)
{
    fprintf(stderr, "publisher: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static void *need(void *memory)
{
    if (!memory)
        die("memory");
    return memory;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void encode_payload(struct payload *out, uint64_t values, unsigned rows, bool msgpack, char *scratch)
{
    const char *key = msgpack ? "seq\xcf" : "\"seq\":";
    out->len = traffic_payload(scratch, values, rows, msgpack);
    out->bytes = need(malloc(out->len + 1));
    memcpy(out->bytes, scratch, out->len);
    const char *at = need(memmem(out->bytes, out->len, key, strlen(key)));
    out->seq_at = (size_t)(at - out->bytes) + strlen(key);
}

/* Each model's values differ from lap to lap, and its node stays the same. */
static void encode(struct traffic *self, unsigned rows)
{
    uint64_t laps = PAYLOADS_MOST / self->models ? PAYLOADS_MOST / self->models : 1;
    char *scratch = need(malloc(256 * (size_t)rows + 64));
    self->count = laps * self->models;
    self->payloads = need(calloc(self->count, sizeof *self->payloads));
    self->topics = need(calloc(self->models, sizeof *self->topics));
    for (uint64_t model = 0; model < self->models; model++)
        traffic_topic(self->topics[model], model);
    for (uint64_t i = 0; i < self->count; i++) {
        uint64_t values = (i % self->models + i / self->models * NODES * 37) % self->models;
        encode_payload(&self->payloads[i], values, rows, self->msgpack, scratch);
    }
    free(scratch);
}

static void *connected(void *context, const char *endpoint, char **keys)
{
    const int yes = 1, patience = PATIENCE_MS;
    char public_key[41];
    void *socket = zmq_socket(context, ZMQ_XPUB);
    if (!socket)
        die("socket");
    zmq_setsockopt(socket, ZMQ_XPUB_NODROP, &yes, sizeof yes);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(socket, ZMQ_SNDTIMEO, &patience, sizeof patience);
    if (keys && (zmq_curve_public(public_key, keys[1]) < 0 ||
                 zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys[0], strlen(keys[0])) < 0 ||
                 zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, strlen(public_key)) < 0 ||
                 zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys[1], strlen(keys[1])) < 0))
        die("keys");
    if (zmq_connect(socket, endpoint) < 0)
        die(endpoint);
    return socket;
}

/* Whoever publishes before the receiver has subscribed is heard by nobody. */
static void await_subscription(void *socket)
{
    char topic[64];
    int len;
    do
        len = zmq_recv(socket, topic, sizeof topic, 0);
    while (len > 0 && !(len == 9 && memcmp(topic, "\1metrics/", 9) == 0));
    if (len <= 0)
        die("no receiver has subscribed");
}

static void publish(const struct traffic *self, void *socket, uint64_t messages, uint64_t first_seq)
{
    for (uint64_t sent = 0; sent < messages; sent++) {
        const struct payload *payload = &self->payloads[sent % self->count];
        const char *topic = self->topics[sent % self->models];
        traffic_seq(payload->bytes + payload->seq_at, first_seq + sent / self->models, self->msgpack);
        if (zmq_send(socket, topic, strlen(topic), ZMQ_SNDMORE) < 0 ||
            zmq_send(socket, payload->bytes, payload->len, 0) < 0)
            die("the receiver does not read");
    }
}

int main(int argc, char **argv)
{
    if (argc < 4 || (argc > 7 && argc != 9)) {
        fprintf(stderr, "usage: publisher ENDPOINT MODELS MESSAGES [json|msgpack] [ROWS] [FIRST] "
                        "[SERVER_KEY SECRET_KEY]\n");
        return 64;
    }
    struct traffic traffic = {.models = strtoull(argv[2], NULL, 10),
                              .msgpack = argc > 4 && strcmp(argv[4], "msgpack") == 0};
    encode(&traffic, argc > 5 ? (unsigned)atoi(argv[5]) : 1);
    void *context = zmq_ctx_new();
    void *socket = connected(context, argv[1], argc == 9 ? argv + 7 : NULL);
    await_subscription(socket);
    double cpu = cpu_seconds();
    publish(&traffic, socket, strtoull(argv[3], NULL, 10), argc > 6 ? strtoull(argv[6], NULL, 10) : 0);
    while (getchar() != EOF)
        ;
    printf("{\"cpu_seconds\": %.6f}\n", cpu_seconds() - cpu);
    zmq_close(socket);
    zmq_ctx_term(context);
    for (uint64_t i = 0; i < traffic.count; i++)
        free(traffic.payloads[i].bytes);
    free(traffic.payloads);
    free(traffic.topics);
    return 0;
}
