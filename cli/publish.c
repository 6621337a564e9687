#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/clock.h"
#include "cli/command.h"
#include "cli/endpoints.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/own_name.h"
#include "cli/progress.h"
#include "cli/publisher.h"
#include "cli/recording.h"
#include "cli/say.h"
#include "lib/model_id.h"
#include "lib/wire/metric_message.h"

#define DEFAULT_ENDPOINT "tcp://127.0.0.1:5570"
#define BATCH_MOST 65536
#define TURN_MS 200      /* how long input may be silent before a begun batch leaves */
#define EARLY_NS 1000000 /* sleeping for less is not worth it */
#define FAR_NS INT64_C(86400000000000) /* a day: hardly meant */

struct publish {
    struct publisher_options to;
    struct endpoint metrics;
    struct publisher *publisher;
    struct recording *recording;
    const char *model; /* of every event; NULL: each names its own */
    double rate;       /* events a second; 0: as fast as they go */
    double speed;      /* 1: as they were recorded; 0: as fast as they go */
    double batch;      /* events a message */
    char node[OWN_NAME_MAX + 1];
    const char *server_key, *cert; /* NULL: not given */
    struct curve curve;

    json_t *pending; /* a batch that is not full yet */
    uint64_t events;
    int64_t started_ns;
    struct progress progress;
    double first_s; /* the time of the first event that has one */
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
    stopping = signal;
}

enum {
    KEY_MODEL = 'm',
    KEY_RATE = 'r',
    KEY_SPEED = 'x',
    KEY_BATCH = 'b',
    KEY_FORMAT = 'f',
    KEY_ENDPOINT = 'e',
    KEY_NODE = 'n',
    KEY_SERVER_KEY = 'K',
    KEY_CERT = 'C'
};

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "ID", 0, "The model of every event, whatever the file says", 0},
    {"rate", KEY_RATE, "N", 0, "So many events a second", 0},
    {"speed", KEY_SPEED, "X", 0, "X times as fast as they were recorded (received_at, else timestamp)", 0},
    {"batch", KEY_BATCH, "N", 0, "So many events a message (1)", 0},
    {"format", KEY_FORMAT, "FORMAT", 0, "json or msgpack (json)", 0},
    {"endpoint", KEY_ENDPOINT, "ENDPOINT", 0, "The metrics socket (as the daemon says, else " DEFAULT_ENDPOINT ")", 0},
    {"node", KEY_NODE, "NAME", 0, "What this node calls itself (driftc/HOST)", 0},
    CURVE_OPTIONS(KEY_SERVER_KEY, KEY_CERT),
    {0},
};

static const char *option(void *input, int key, const char *value)
{
    struct publish *self = input;
    struct model_id id;
    switch (key) {
    case KEY_MODEL:
        self->model = value;
        return model_id_parse(&id, text_of(value)) < 0 ? "project/name/version" : NULL;
    case KEY_RATE:
        return option_number(value, 1e-6, 1e9, &self->rate) ? NULL : "a number above 0";
    case KEY_SPEED:
        return option_number(value, 1e-6, 1e9, &self->speed) ? NULL : "a number above 0";
    case KEY_BATCH:
        return option_number(value, 1, BATCH_MOST, &self->batch) && self->batch == floor(self->batch)
                   ? NULL
                   : "a whole number from 1 to 65536";
    case KEY_FORMAT:
        self->to.format = strcmp(value, "msgpack") == 0 ? PAYLOAD_MSGPACK : PAYLOAD_JSON;
        return strcmp(value, "json") == 0 || strcmp(value, "msgpack") == 0 ? NULL : "json or msgpack";
    case KEY_ENDPOINT:
        self->metrics.at = value;
        return NULL;
    case KEY_SERVER_KEY:
        self->server_key = value;
        return NULL;
    case KEY_CERT:
        self->cert = value;
        return NULL;
    default:
        return own_name_take(self->node, value);
    }
}

/* Sleeps until an event is due; beacons go on meanwhile. */
static int sleep_until(struct publish *self, int64_t due_ns)
{
    int64_t left_ns;
    while ((left_ns = due_ns - clock_now_ns()) > EARLY_NS) {
        int64_t nap_ns = left_ns < (int64_t)TURN_MS * 1000000 ? left_ns : (int64_t)TURN_MS * 1000000;
        struct timespec nap = {.tv_nsec = nap_ns};
        if (stopping)
            return EX_TEMPFAIL;
        nanosleep(&nap, NULL);
        int status = publisher_beacon(self->publisher, false, false);
        if (status)
            return status;
    }
    return 0;
}

static int send_pending(struct publish *self)
{
    if (!json_array_size(self->pending))
        return 0;
    int status = publisher_send(self->publisher, self->model, self->pending);
    if (status == 0)
        self->events += json_array_size(self->pending);
    json_array_clear(self->pending);
    return status;
}

static int64_t due_of(struct publish *self, const json_t *event)
{
    uint64_t before = self->events + json_array_size(self->pending);
    if (self->rate > 0)
        return self->started_ns + (int64_t)((double)before / self->rate * 1e9);
    double at_s = self->speed > 0 ? recording_time(event) : NAN;
    if (isnan(at_s))
        return 0;
    if (isnan(self->first_s))
        self->first_s = at_s;
    double after_s = (at_s - self->first_s) / self->speed;
    return self->started_ns + (int64_t)(fmax(0, fmin(after_s, 1e9)) * 1e9);
}

/* Waits until an event is due. A batch that has begun does not wait for one that is far off. */
static int pace(struct publish *self, const json_t *event)
{
    const int64_t due_ns = due_of(self, event), left_ns = due_ns - clock_now_ns();
    int status = 0;
    if (left_ns > FAR_NS)
        say("%s: this event is due in %s, by its time and --speed; Ctrl-C ends it", recording_place(self->recording),
            figure_span((double)left_ns / 1e9).text);
    if (left_ns > (int64_t)TURN_MS * 1000000)
        status = send_pending(self);
    return status ? status : sleep_until(self, due_ns);
}

/* What the message says for itself is taken off an event that was recorded. */
static void strip(json_t *event, bool keep_model)
{
    static const char *const members[] = {"received_at", "taken", "node", "boot", "seq"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        json_object_del(event, members[i]);
    if (!keep_model)
        json_object_del(event, "model");
}

static int send_event(struct publish *self, json_t *event)
{
    struct text model = self->model ? text_of(self->model) : member_text(event, "model");
    struct model_id id;
    if (model_id_parse(&id, model) < 0) {
        say(model.len ? "%s: '%.*s' is no model; a model is project/name/version"
                      : "%s: names no model%.*s; --model gives them one",
            recording_place(self->recording), (int)model.len, model.at);
        return EX_DATAERR;
    }
    int status = pace(self, event);
    if (status)
        return status;
    if (self->batch > 1) {
        strip(event, !self->model);
        json_array_append(self->pending, event);
        return json_array_size(self->pending) >= (size_t)self->batch ? send_pending(self) : 0;
    }
    char name[MODEL_ID_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)model.len, model.at);
    strip(event, false);
    status = publisher_send(self->publisher, name, event);
    self->events += status == 0;
    return status;
}

static void show_progress(struct publish *self)
{
    if (progress_due(&self->progress))
        fprintf(stderr, "%s events", figure_count((int64_t)self->events).text);
}

static int turn(struct publish *self)
{
    json_t *event = NULL;
    const char *why;
    int status = 0;
    switch (recording_next(self->recording, TURN_MS, &event, &why)) {
    case RECORDING_EVENT:
        status = send_event(self, event);
        json_decref(event);
        break;
    case RECORDING_WAIT:
        status = send_pending(self);
        break;
    case RECORDING_END:
        return -1;
    case RECORDING_WRONG:
    case RECORDING_BAD:
        say("%s", why);
        return EX_DATAERR;
    }
    show_progress(self);
    return status ? status : publisher_beacon(self->publisher, false, false);
}

static void summary(const struct publish *self, const struct common *common, double took_s)
{
    uint64_t messages = publisher_messages(self->publisher), bytes = publisher_bytes(self->publisher);
    if (common->json) {
        json_t *json =
            must(json_pack("{s:I, s:I, s:I, s:I, s:f, s:s, s:s, s:s}", "events", (json_int_t)self->events, "messages",
                           (json_int_t)messages, "topics", (json_int_t)publisher_topics(self->publisher), "bytes",
                           (json_int_t)bytes, "seconds", took_s, "endpoint", self->to.endpoint, "node", self->node,
                           "boot", publisher_boot(self->publisher)));
        json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(json);
        return;
    }
    printf("Published %s events in %s messages (%s bytes) on %s topics in %s", figure_count((int64_t)self->events).text,
           figure_count((int64_t)messages).text, figure_count((int64_t)bytes).text,
           figure_count((int64_t)publisher_topics(self->publisher)).text, figure_span(took_s).text);
    if (self->events && took_s > 0)
        printf(", %s a second", figure_value((double)self->events / took_s).text);
    printf("; node %s, boot %s\n", self->node, publisher_boot(self->publisher));
}

static int publish_all(struct publish *self, const struct common *common)
{
    char topic[MODEL_ID_MAX + 16];
    snprintf(topic, sizeof topic,
             self->model       ? "metrics/%s"
             : self->batch > 1 ? "batch/%s"
                               : "metrics/%s",
             self->model       ? self->model
             : self->batch > 1 ? self->node
                               : "");
    int status = publisher_wait(self->publisher, topic, common->timeout_s);
    self->started_ns = clock_now_ns();
    if (status)
        return status;
    while (status == 0 && !stopping)
        status = turn(self);
    if (status == -1 || status == EX_DATAERR || stopping) {
        int left = send_pending(self);
        status = status > 0 ? status : left;
    }
    publisher_beacon(self->publisher, true, true);
    progress_end();
    summary(self, common, (double)(clock_now_ns() - self->started_ns) / 1e9);
    return status;
}

int publish_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct publish publish = {.to = {.stopping = &stopping},
                              .metrics = {.name = "metrics", .fallback = DEFAULT_ENDPOINT},
                              .batch = 1,
                              .first_s = NAN};
    struct arguments arguments = {.options = options, .option = option, .input = &publish, .least = 1, .most = 1};
    struct sigaction action = {.sa_handler = stop}; /* without SA_RESTART: whatever waits is to wake up */
    snprintf(publish.node, sizeof publish.node, "driftc/%s", own_name_host());
    command_arguments(self, common, argc, argv, &arguments);
    if (publish.rate > 0 && publish.speed > 0)
        say_and_end(EX_USAGE, "--rate and --speed exclude each other");
    int status = curve_read(&publish.curve, publish.server_key, publish.cert);
    if (status == 0)
        status = endpoints_find(&publish.metrics, 1, common, "node", publish.curve.on);
    if (status)
        return status;
    publish.to.endpoint = publish.metrics.at;
    publish.to.node = publish.node;
    publish.to.curve = &publish.curve;
    publish.to.timeout_s = common->timeout_s;
    int error = recording_open(&publish.recording, arguments.words[0]);
    if (error)
        say_and_end(EX_NOINPUT, "%s: %s", arguments.words[0], strerror(-error));
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    publish.pending = must(json_array());
    status = publisher_open(&publish.publisher, &publish.to);
    if (status == 0)
        status = publish_all(&publish, common);
    int left = publisher_close(&publish.publisher);
    status = status ? status : left;
    recording_close(&publish.recording);
    json_decref(publish.pending);
    endpoints_free(&publish.metrics, 1);
    return stopping ? 128 + stopping : status;
}
