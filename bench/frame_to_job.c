/* frame_to_job.c - how long it takes from a frame that breaks a budget to the job at a trainer.
 *
 *   frame_to_job METRICS JOBS FEEDBACK COUNT DIR
 *
 * A node and a trainer of a daemon that runs: METRICS, JOBS and FEEDBACK are its endpoints, one bad event of a model is
 * enough for it to ask for a retraining, and no limit holds requests. COUNT models, one after the other: the time runs
 * from before the frame is sent until the job has been pulled; then the trainer accepts it and is done. After each, a
 * page is appended to a file in DIR and fdatasync(2) timed, so that both times are of the same moments.
 *
 * Prints one JSON object: job_p50_us, job_p99_us, fdatasync_p50_us, fdatasync_p99_us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define PAGE 4096
#define PATIENCE_MS 30000

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "frame_to_job: %s: %s\n", what, zmq_strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *connect_to(void *context, int kind, const char *endpoint)
{
    void *socket = zmq_socket(context, kind);
    int none = 0, patience = PATIENCE_MS; /* no bound on what is sent: a PUB would drop it */
    if (!socket || zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) < 0 ||
        zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none) < 0 ||
        zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience) < 0 || zmq_connect(socket, endpoint) < 0)
        fail(endpoint);
    return socket;
}

/* Receives a message as a text. */
static void receive(void *socket, char *out, size_t size, const char *what)
{
    int bytes = zmq_recv(socket, out, size - 1, 0);
    if (bytes < 0 || (size_t)bytes >= size)
        fail(what);
    out[bytes] = '\0';
}

static void send_event(void *node, int model, const char *event)
{
    char topic[64];
    int len = snprintf(topic, sizeof topic, "metrics/bench/job%d/v1", model);
    if (zmq_send(node, topic, (size_t)len, ZMQ_SNDMORE) < 0 || zmq_send(node, event, strlen(event), 0) < 0)
        fail("an event");
}

static void say(void *feedback, const char *what, const char *request)
{
    char text[256];
    int len = snprintf(text, sizeof text, "{\"say\":\"%s\",\"request\":\"%s\",\"attempt\":1,\"trainer\":\"bench\"}",
                       what, request);
    if (zmq_send(feedback, text, (size_t)len, 0) < 0)
        fail(what);
    receive(feedback, text, sizeof text, what);
    if (!strstr(text, "\"ok\":true")) {
        fprintf(stderr, "frame_to_job: %s: %s\n", what, text);
        exit(1);
    }
}

static int64_t job_took_ns(void *node, void *jobs, void *feedback, int model)
{
    static char job[65536];
    char request[33] = "";
    int64_t began = now_ns();
    send_event(node, model, "{\"accuracy\":0.5}");
    receive(jobs, job, sizeof job, "a job");
    int64_t took = now_ns() - began;
    const char *id = strstr(job, "\"request\":\"");
    if (!id)
        fail("a job without a request");
    snprintf(request, sizeof request, "%s", id + strlen("\"request\":\""));
    say(feedback, "accept", request);
    say(feedback, "done", request);
    return took;
}

static int64_t sync_took_ns(int fd)
{
    static const char page[PAGE];
    int64_t began = now_ns();
    if (write(fd, page, sizeof page) != sizeof page || fdatasync(fd) < 0)
        fail("fdatasync");
    return now_ns() - began;
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void tell(const char *name, int64_t *took, int count, const char *end)
{
    qsort(took, (size_t)count, sizeof *took, by_value);
    const int64_t p50 = took[count / 2], p99 = took[count * 99 / 100];
    printf("\"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f%s", name, (double)p50 / 1e3, name, (double)p99 / 1e3, end);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return fprintf(stderr, "frame_to_job METRICS JOBS FEEDBACK COUNT DIR\n"), 64;
    int count = atoi(argv[4]);
    int64_t *jobs_took = calloc((size_t)count + 1, sizeof *jobs_took),
            *syncs_took = calloc((size_t)count + 1, sizeof *syncs_took);
    char path[4096], heard[256];
    void *context = zmq_ctx_new();
    void *node = connect_to(context, ZMQ_XPUB, argv[1]);
    for (int i = 0; i < 3; i++)
        receive(node, heard, sizeof heard, "the daemon's subscriptions");
    void *jobs = connect_to(context, ZMQ_PULL, argv[2]), *feedback = connect_to(context, ZMQ_REQ, argv[3]);
    snprintf(path, sizeof path, "%s/syncs", argv[5]);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (count < 1 || !jobs_took || !syncs_took || fd < 0)
        fail(path);
    for (int i = 0; i < count; i++)
        send_event(node, i, "{\"accuracy\":0.95}");
    for (int i = 0; i < count; i++) {
        jobs_took[i] = job_took_ns(node, jobs, feedback, i);
        syncs_took[i] = sync_took_ns(fd);
    }
    unlink(path);
    printf("{");
    tell("job", jobs_took, count, ", ");
    tell("fdatasync", syncs_took, count, "}\n");
    return 0;
}
