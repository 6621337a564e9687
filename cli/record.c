/* driftc record: writes what the daemon takes to a file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "cli/clock.h"
#include "cli/connect.h"
#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/visible.h"
#include "lib/wire/recorded.h"

#define QUEUE 10000
#define RECONNECT_MS 20
#define TURN_MS 200
#define QUIET_MS 300                 /* what was taken before a signal has come when nothing came for so long, */
#define DRAIN_NS INT64_C(3000000000) /* or after this */

struct record {
    double most, for_s; /* events, seconds; 0: without an end */
    const char *path;
    int fd;
    void *socket;
    uint64_t events, bytes, lost;
    bool whole;       /* the file ends with a whole line */
    struct progress progress;
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
    stopping = signal;
}

static const struct argp_option options[] = {
    {"events", 'n', "N", 0, "End after so many events", 0},
    {"for", 'f', "SECONDS", 0, "End after so long", 0},
    {0},
};

static const char *option(void *input, int key, const char *value)
{
    struct record *self = input;
    if (key == 'n')
        return option_number(value, 1, 1e15, &self->most) ? NULL : "a number of at least 1";
    return option_number(value, 0.001, 1e9, &self->for_s) ? NULL : "a number of seconds above 0";
}

/* -- the file --------------------------------------------------------------------------------------------------------
 */

/* What is there already stays: a recording can be gone on with. */
static int open_file(struct record *self)
{
    char first = '{', last = '\n';
    if (strcmp(self->path, "-") == 0) {
        self->fd = dup(STDOUT_FILENO);
    } else {
        self->fd = open(self->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        off_t end = self->fd < 0 ? 0 : lseek(self->fd, 0, SEEK_END);
        if (end > 0 && (pread(self->fd, &first, 1, 0) != 1 || pread(self->fd, &last, 1, end - 1) != 1))
            first = '\0';
    }
    if (self->fd < 0) {
        say("%s: %s", self->path, strerror(errno));
        return EX_CANTCREAT;
    }
    if (first != '{') {
        say("%s: is there already, and is no recording that could be gone on with", self->path);
        close(self->fd);
        return EX_CANTCREAT;
    }
    self->whole = last == '\n';
    return 0;
}

static int put(struct record *self, const char *at, size_t len)
{
    while (len) {
        ssize_t wrote = write(self->fd, at, len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            say("%s: %s", self->path, strerror(errno));
            return EX_IOERR;
        }
        self->bytes += (uint64_t)wrote;
        at += wrote;
        len -= (size_t)wrote;
    }
    return 0;
}

static bool has_enough(const struct record *self)
{
    return self->most > 0 && (double)self->events >= self->most;
}

/* Counts lines, until there are events enough; how many bytes those are. */
static size_t count(struct record *self, struct text lines)
{
    const size_t all = lines.len;
    while (lines.len && !has_enough(self)) {
        const char *end = memchr(lines.at, '\n', lines.len);
        struct text line = {.at = lines.at, .len = end ? (size_t)(end - lines.at) : lines.len};
        struct recorded_line other;
        if (!recorded_may_be_other(line))
            self->events++;
        else if (recorded_read(line, &other) == RECORDED_LOST)
            self->lost += other.lost;
        lines.at += line.len + (end != NULL);
        lines.len -= line.len + (end != NULL);
    }
    return all - lines.len;
}

/* -- the daemon ------------------------------------------------------------------------------------------------------
 */

/* Where it hands out what it takes. The text is the caller's. */
static int find_endpoint(const struct common *common, char **out)
{
    json_t *answer;
    int status = control_get(common, must(json_pack("{s:s}", "do", "status")), &answer);
    if (status)
        return status;
    const char *endpoint =
        json_string_value(json_array_get(json_object_get(json_object_get(answer, "endpoints"), "record"), 0));
    if (endpoint)
        *out = must(strdup(endpoint));
    else
        say("this driftd has no socket for recordings: its control socket is no file, or the daemon is older");
    json_decref(answer);
    return endpoint ? 0 : EX_UNAVAILABLE;
}

static int connect_socket(struct record *self, const char *endpoint)
{
    int queue = QUEUE, again = RECONNECT_MS, none = 0;
    zmq_setsockopt(self->socket, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(self->socket, ZMQ_RECONNECT_IVL, &again, sizeof again);
    zmq_setsockopt(self->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(self->socket, ZMQ_SUBSCRIBE, "", 0);
    if (connect_to(self->socket, endpoint) == 0)
        return 0;
    say("'%s' cannot be reached: %s", endpoint, zmq_strerror(errno));
    return EX_UNAVAILABLE;
}

/* Takes a frame; false: none came within the time, or a signal did. */
static bool take(struct record *self, int timeout_ms, zmq_msg_t *frame)
{
    zmq_pollitem_t item = {.socket = self->socket, .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, timeout_ms) > 0 && zmq_msg_recv(frame, self->socket, ZMQ_DONTWAIT) >= 0;
}

/* The first frame says that from here on nothing is missed; where another recorder keeps the daemon waiting, it is one with
 * events already. */
static int wait_for_daemon(struct record *self, const struct common *common, zmq_msg_t *first)
{
    int64_t until_ns = clock_now_ns() + (int64_t)(common->timeout_s * 1e9);
    bool came = false;
    while (!came && !stopping && clock_now_ns() < until_ns)
        came = take(self, TURN_MS, first);
    if (came || stopping)
        return 0;
    say("driftd does not begin to send within %s", figure_span(common->timeout_s).text);
    return EX_UNAVAILABLE;
}

static int take_frame(struct record *self, zmq_msg_t *frame)
{
    struct text lines = {.at = zmq_msg_data(frame), .len = zmq_msg_size(frame)};
    if (lines.len == 0) /* the daemon was started anew, or another recorder has come */
        return 0;
    int status = self->whole ? 0 : put(self, "\n", 1);
    self->whole = true;
    const uint64_t events = self->events;
    const size_t len = count(self, lines);
    if (status == 0)
        status = put(self, lines.at, len);
    if (status)
        self->events = events;
    return status;
}

static void show_progress(struct record *self)
{
    if (progress_due(&self->progress))
        fprintf(stderr, "%s events; Ctrl-C ends it", figure_count((int64_t)self->events).text);
}

/* Until the end that was asked for, or a signal; then what is still on its way. */
static int run(struct record *self)
{
    int64_t until_ns = self->for_s > 0 ? clock_now_ns() + (int64_t)(self->for_s * 1e9) : INT64_MAX, drain_ns = 0;
    int status = 0;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (status == 0 && !has_enough(self)) {
        if (drain_ns == 0 && (stopping || clock_now_ns() >= until_ns))
            drain_ns = clock_now_ns() + DRAIN_NS;
        if (take(self, drain_ns ? QUIET_MS : TURN_MS, &frame))
            status = take_frame(self, &frame);
        else if (drain_ns)
            break;
        if (drain_ns && clock_now_ns() >= drain_ns)
            break;
        show_progress(self);
    }
    zmq_msg_close(&frame);
    progress_end();
    return status;
}

static void summary(const struct record *self, const struct common *common, double took_s)
{
    FILE *out = strcmp(self->path, "-") == 0 ? stderr : stdout;
    if (common->json) {
        json_t *json =
            must(json_pack("{s:s, s:I, s:I, s:I, s:f}", "file", self->path, "events", (json_int_t)self->events, "lost",
                           (json_int_t)self->lost, "bytes", (json_int_t)self->bytes, "seconds", took_s));
        json_dumpf(json, out, JSON_COMPACT | JSON_REAL_PRECISION(6));
        fputc('\n', out);
        json_decref(json);
        return;
    }
    char *name = visible_of(text_of(self->path));
    fprintf(out, "Recorded %s events (%s bytes) to %s in %s\n", figure_count((int64_t)self->events).text,
            figure_count((int64_t)self->bytes).text, name, figure_span(took_s).text);
    free(name);
}

static int record_all(struct record *self, const struct common *common, const char *endpoint)
{
    int64_t began_ns = clock_now_ns();
    zmq_msg_t first;
    zmq_msg_init(&first);
    int status = connect_socket(self, endpoint);
    if (status == 0)
        status = wait_for_daemon(self, common, &first);
    if (status == 0)
        status = open_file(self);
    const bool open = status == 0;
    if (open)
        status = take_frame(self, &first);
    zmq_msg_close(&first);
    if (!open)
        return status;
    if (status == 0)
        status = run(self);
    if (close(self->fd) < 0 && status == 0) {
        say("%s: %s", self->path, strerror(errno));
        status = EX_IOERR;
    }
    summary(self, common, (double)(clock_now_ns() - began_ns) / 1e9);
    if (self->lost)
        say("%s events are missing from %s: the daemon took them faster than they could be written",
            figure_count((int64_t)self->lost).text, self->path);
    return status;
}

int record_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct record record = {.fd = -1};
    struct arguments arguments = {.options = options, .option = option, .input = &record, .least = 1, .most = 1};
    struct sigaction action = {.sa_handler = stop}; /* without SA_RESTART: whatever waits is to wake up */
    char *endpoint = NULL;
    command_arguments(self, common, argc, argv, &arguments);
    record.path = arguments.words[0];
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    int status = find_endpoint(common, &endpoint);
    if (status)
        return status;
    void *context = must(zmq_ctx_new());
    record.socket = must(zmq_socket(context, ZMQ_SUB));
    status = record_all(&record, common, endpoint);
    zmq_close(record.socket);
    zmq_ctx_term(context);
    free(endpoint);
    return status;
}
