/* rawdrain.c - the least that any receiver must do: takes two-frame messages off a bound SUB and forgets them.
 *
 *   rawdrain ENDPOINT MESSAGES [RCVHWM [SECRET_KEY]]
 *
 * With a key it is a CURVE server that lets everybody in.
 * Prints seconds from the first to the last message, and CPU-seconds of the whole process (libzmq's I/O thread as
 * well).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: rawdrain ENDPOINT MESSAGES [RCVHWM [SECRET_KEY]]\n");
        return 64;
    }
    unsigned long long want = strtoull(argv[2], NULL, 10), got = 0;
    int queue = argc > 3 ? atoi(argv[3]) : 1000, yes = 1;
    void *context = zmq_ctx_new();
    void *sub = zmq_socket(context, ZMQ_SUB);
    zmq_setsockopt(sub, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "metrics/", 8);
    if (argc > 4 && (zmq_setsockopt(sub, ZMQ_CURVE_SERVER, &yes, sizeof yes) ||
                     zmq_setsockopt(sub, ZMQ_CURVE_SECRETKEY, argv[4], strlen(argv[4])))) {
        fprintf(stderr, "rawdrain: %s\n", zmq_strerror(zmq_errno()));
        return 1;
    }
    if (zmq_bind(sub, argv[1])) {
        fprintf(stderr, "rawdrain: %s: %s\n", argv[1], zmq_strerror(zmq_errno()));
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    double started = 0, cpu = 0;
    unsigned long long bytes = 0;
    zmq_msg_t topic, payload;
    zmq_msg_init(&topic);
    zmq_msg_init(&payload);
    while (got < want) {
        if (zmq_msg_recv(&topic, sub, 0) < 0 || zmq_msg_recv(&payload, sub, 0) < 0)
            return 1;
        if (got++ == 0) {
            started = seconds();
            cpu = cpu_seconds();
        }
        bytes += zmq_msg_size(&payload);
    }
    double took = seconds() - started;
    printf("{\"messages\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", got, bytes, took,
           cpu_seconds() - cpu);
    zmq_msg_close(&topic);
    zmq_msg_close(&payload);
    int linger = 0;
    zmq_setsockopt(sub, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(sub);
    zmq_ctx_term(context);
    return 0;
}
