/* watch: what observers are told, a line an event. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "cli/command.h"
#include "cli/connect.h"
#include "cli/curve.h"
#include "cli/endpoints.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/terminal.h"
#include "cli/visible.h"
#include "lib/model_id.h"

#define LOOK_MS 200 /* how soon a signal is obeyed */

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

struct watch {
    const char *pattern; /* NULL: all */
    struct endpoint events;
    double most; /* events; 0: no end */
    bool json;
    const char *server_key, *cert;
    struct curve curve;
};

enum { KEY_ENDPOINT = 'e', KEY_COUNT = 'n', KEY_SERVER_KEY = 'K', KEY_CERT = 'C' };

static const char *option(void *input, int key, const char *value)
{
    struct watch *watch = input;
    switch (key) {
    case KEY_COUNT:
        return option_number(value, 1, 1e15, &watch->most) ? NULL : "a number of at least 1";
    case KEY_SERVER_KEY:
        watch->server_key = value;
        return NULL;
    case KEY_CERT:
        watch->cert = value;
        return NULL;
    default:
        watch->events.at = value;
        return NULL;
    }
}

/* Events that belong to no model are for those who want all. */
static bool wanted(const struct watch *watch, struct text subject)
{
    struct model_id id;
    return !watch->pattern ||
           (model_id_parse(&id, subject) == 0 && model_pattern_matches(text_of(watch->pattern), &id));
}

static enum colour colour_of(struct text type)
{
    static const struct {
        const char *type;
        enum colour colour;
    } colours[] = {{"driftd.budget.violated", RED},     {"driftd.drift.detected", RED},
                   {"driftd.retraining.dead", RED},     {"driftd.retraining.failed", YELLOW},
                   {"driftd.model.unrecoverable", RED}, {"driftd.alarm", RED},
                   {"driftd.frames.lost", YELLOW},      {"driftd.model.stale", YELLOW},
                   {"driftd.model.recovered", GREEN},   {"driftd.retraining.done", GREEN}};
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
        if (text_is(type, colours[i].type))
            return colours[i].colour;
    return CYAN;
}

static void put_violations(FILE *out, const json_t *violations)
{
    size_t index;
    const json_t *violation;
    json_array_foreach(violations, index, violation)
    {
        bool below = json_object_get(violation, "min") != NULL;
        fputs(index ? ", " : "", out);
        visible_put(out, member_text(violation, "metric"));
        fputc(' ', out);
        visible_put(out, member_text(violation, "over"));
        fprintf(out, " %s %s %s", figure_value(member_number(violation, "observed", NAN)).text, below ? "<" : ">",
                figure_value(member_number(violation, below ? "min" : "max", NAN)).text);
    }
}

/* The sentence of an event where it has one; else its plain members. */
static void put_data(FILE *out, const json_t *data)
{
    static const char *const sentences[] = {"why", "message", "rule"};
    const char *name, *between = "";
    const json_t *value;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        struct text sentence = member_text(data, sentences[i]);
        if (!sentence.len)
            continue;
        visible_put(out, sentence);
        return;
    }
    if (json_array_size(json_object_get(data, "violations"))) {
        put_violations(out, json_object_get(data, "violations"));
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)data, name, value)
    {
        if (json_is_object(value) || json_is_null(value) || (json_is_array(value) && !json_array_size(value)))
            continue;
        fprintf(out, "%s", between);
        visible_put(out, text_of(name));
        fputc('=', out);
        if (json_is_string(value))
            visible_put(out, (struct text){.at = json_string_value(value), .len = json_string_length(value)});
        else if (json_is_number(value))
            fprintf(out, "%s", figure_value(json_number_value(value)).text);
        else if (json_is_array(value))
            fprintf(out, "%zu", json_array_size(value));
        else
            fprintf(out, "%s", json_is_true(value) ? "true" : "false");
        between = " ";
    }
}

static struct text without(struct text text, const char *beginning)
{
    size_t len = strlen(beginning);
    if (text.len <= len || memcmp(text.at, beginning, len) != 0)
        return text;
    return (struct text){.at = text.at + len, .len = text.len - len};
}

static void show(const json_t *event)
{
    char *line = NULL;
    size_t size;
    struct text type = member_text(event, "type"), time = member_text(event, "time");
    FILE *out = must(open_memstream(&line, &size));
    put_data(out, json_object_get(event, "data"));
    fclose(out);
    must(line);
    unsigned room = terminal_width();
    struct text subject = member_text(event, "subject");
    char *who = visible_of(subject.len ? subject : text_of("-"));
    char *what = visible_of(without(type, "driftd."));
    struct figure at = figure_stamp(time);
    unsigned used = visible_columns(at.text) + visible_columns(what) + visible_columns(who) + 6;
    line = must(realloc(line, size + 4));
    if (room != TERMINAL_ENDLESS)
        visible_cut(line, room > used + 10 ? room - used : 10);
    printf("%s%s%s  %s%s%s  %s  %s\n", terminal_on(DIM), at.text, terminal_off(DIM), terminal_on(colour_of(type)), what,
           terminal_off(colour_of(type)), who, line);
    free(who);
    free(what);
    free(line);
}

/* One message: topic and body. False: nothing came within LOOK_MS. */
static bool receive(void *socket, zmq_msg_t *body)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, LOOK_MS) <= 0 || zmq_msg_recv(body, socket, ZMQ_DONTWAIT) < 0)
        return false;
    bool more = zmq_msg_more(body);
    while (more && zmq_msg_recv(body, socket, 0) >= 0)
        more = zmq_msg_more(body);
    return true;
}

/* An event's number is one more than that of the event before; a smaller one is that of a daemon that was started again. */
static void tell_gap(const json_t *event, unsigned long long *last)
{
    char digits[24] = "";
    const struct text sequence = member_text(event, "sequence");
    if (sequence.len == 0 || sequence.len >= sizeof digits)
        return;
    memcpy(digits, sequence.at, sequence.len);
    const unsigned long long number = strtoull(digits, NULL, 10);
    if (*last && number > *last + 1)
        say("%llu events before the next line did not arrive here", number - *last - 1);
    *last = number;
}

static int follow(const struct watch *watch, void *socket)
{
    double shown = 0;
    unsigned long long last = 0;
    zmq_msg_t body;
    zmq_msg_init(&body);
    while (!stopping && (watch->most <= 0 || shown < watch->most)) {
        if (!receive(socket, &body))
            continue;
        struct text text = {.at = zmq_msg_data(&body), .len = zmq_msg_size(&body)};
        json_t *event = json_loadb(text.at, text.len, JSON_ALLOW_NUL, NULL);
        tell_gap(event, &last);
        if (event && wanted(watch, member_text(event, "subject"))) {
            if (watch->json) {
                visible_put_json(stdout, text);
                putchar('\n');
            } else {
                show(event);
            }
            shown++;
        }
        json_decref(event);
        if (fflush(stdout) != 0)
            break; /* main() says why */
    }
    zmq_msg_close(&body);
    return 0;
}

static int connect_and_follow(const struct watch *watch, const char *endpoint)
{
    int endless = 0, none = 0, status = 0;
    void *context = must(zmq_ctx_new()), *socket = must(zmq_socket(context, ZMQ_SUB));
    zmq_setsockopt(socket, ZMQ_RCVHWM, &endless, sizeof endless);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "driftd.", 7);
    curve_apply(socket, &watch->curve);
    if (connect_to(socket, endpoint) < 0) {
        say("'%s' is no endpoint that can be reached: %s", endpoint, zmq_strerror(errno));
        status = EX_USAGE;
    } else {
        if (terminal_watched())
            fprintf(stderr, "events of %s, until Ctrl-C:\n", endpoint);
        status = follow(watch, socket);
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    return status;
}

int watch_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"endpoint", KEY_ENDPOINT, "ENDPOINT", 0, "The events socket (default: the daemon is asked)", 0},
        {"count", KEY_COUNT, "N", 0, "End after so many events", 0},
        CURVE_OPTIONS(KEY_SERVER_KEY, KEY_CERT),
        {0}};
    struct watch watch = {.events.name = "events"};
    struct arguments arguments = {.options = options, .option = option, .input = &watch, .most = 1};
    const char *why;
    command_arguments(self, common, argc, argv, &arguments);
    watch.json = common->json;
    watch.pattern = arguments.count ? arguments.words[0] : NULL;
    if (watch.pattern && model_pattern_check(text_of(watch.pattern), &why) < 0)
        say_and_end(EX_USAGE, "'%s' is no pattern: %s", watch.pattern, why);
    int status = curve_read(&watch.curve, watch.server_key, watch.cert);
    if (status == 0)
        status = endpoints_find(&watch.events, 1, common, "observer", watch.curve.on);
    if (status == 0) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        status = connect_and_follow(&watch, watch.events.at);
    }
    endpoints_free(&watch.events, 1);
    explicit_bzero(&watch.curve, sizeof watch.curve);
    return status;
}
