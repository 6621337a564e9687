/* rawdrain.c - the least that any receiver must do: takes two-frame messages off a bound SUB and forgets them.
 *
 *   rawdrain ENDPOINT MESSAGES [RCVHWM [SECRET_KEY|- [GATHER_US]]]
 *
 * With a key it is a CURVE server that lets everybody in. With GATHER_US it takes what is there and then sleeps so
 * long, as the daemon does with paced traffic; else it waits for each message. Prints seconds from the first to the
 * last message, and CPU-seconds of the whole process (libzmq's I/O thread as well).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_seconds(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void *bound(void *context, const char *endpoint, int queue, const char *key)
{
    const int yes = 1, no = 0;
    void *sub = zmq_socket(context, ZMQ_SUB);
    zmq_setsockopt(sub, ZMQ_LINGER, &no, sizeof no);
    zmq_setsockopt(sub, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "metrics/", 8);
    if ((key && (zmq_setsockopt(sub, ZMQ_CURVE_SERVER, &yes, sizeof yes) ||
                 zmq_setsockopt(sub, ZMQ_CURVE_SECRETKEY, key, strlen(key)))) ||
        zmq_bind(sub, endpoint)) {
        fprintf(stderr, "rawdrain: %s: %s\n", endpoint, zmq_strerror(zmq_errno()));
        exit(1);
    }
    return sub;
}

/* One message; false when none waits and the loop gathers. */
static bool take(void *sub, zmq_msg_t *topic, zmq_msg_t *payload, long gather_us)
{
    if (zmq_msg_recv(topic, sub, gather_us ? ZMQ_DONTWAIT : 0) < 0) {
        if (gather_us && zmq_errno() == EAGAIN)
            return false;
        exit(1);
    }
    if (zmq_msg_recv(payload, sub, 0) < 0)
        exit(1);
    return true;
}

static void drain(void *sub, unsigned long long want, long gather_us)
{
    unsigned long long got = 0, bytes = 0;
    double started = 0, cpu = 0, own = 0;
    zmq_msg_t topic, payload;
    zmq_msg_init(&topic);
    zmq_msg_init(&payload);
    while (got < want) {
        if (!take(sub, &topic, &payload, gather_us)) {
            clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = gather_us * 1000}, NULL);
            continue;
        }
        if (got++ == 0) {
            started = seconds();
            cpu = cpu_seconds(RUSAGE_SELF);
            own = cpu_seconds(RUSAGE_THREAD);
        }
        bytes += zmq_msg_size(&payload);
    }
    printf(
        "{\"messages\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"own_cpu_seconds\": %.6f}\n",
        got, bytes, seconds() - started, cpu_seconds(RUSAGE_SELF) - cpu, cpu_seconds(RUSAGE_THREAD) - own);
    zmq_msg_close(&topic);
    zmq_msg_close(&payload);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: rawdrain ENDPOINT MESSAGES [RCVHWM [SECRET_KEY|- [GATHER_US]]]\n");
        return 64;
    }
    long gather_us = argc > 5 ? atol(argv[5]) : 0;
    if (gather_us < 0 || gather_us > 1000) {
        fprintf(stderr, "rawdrain: a loop gathers for 1000 us at most\n");
        return 64;
    }
    void *context = zmq_ctx_new();
    void *sub = bound(context, argv[1], argc > 3 ? atoi(argv[3]) : 1000,
                      argc > 4 && strcmp(argv[4], "-") != 0 ? argv[4] : NULL);
    prctl(PR_SET_TIMERSLACK, 1000UL); /* as the daemon's thread */
    printf("ready\n");
    fflush(stdout);
    drain(sub, strtoull(argv[2], NULL, 10), gather_us);
    zmq_close(sub);
    zmq_ctx_term(context);
    return 0;
}
