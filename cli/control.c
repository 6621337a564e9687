#include "cli/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "cli/clock.h"
#include "cli/connect.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/visible.h"

static const char *environment(void *argument, const char *name)
{
    (void)argument;
    return getenv(name);
}

struct config_options config_options_here(void)
{
    return (struct config_options){.as_user = geteuid() != 0, .uid = (uint32_t)geteuid(), .getenv = environment};
}

/* Knocks at a Unix socket: it says at once what a ZeroMQ connection would keep to itself. Returns 0 or an errno. */
static int knock(const char *endpoint)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = endpoint + strlen("ipc://");
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path)
        return ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    int error = connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
    close(fd);
    return error == EAGAIN ? 0 : error; /* EAGAIN: somebody is there, and busy */
}

/* A person's own socket, where there is one: one that somebody else made is not theirs. */
static bool own_socket(char endpoint[CONFIG_ENDPOINT_MAX])
{
    struct config_options options = config_options_here();
    struct stat about;
    return options.as_user && config_control_default(endpoint, &options) == 0 &&
           stat(endpoint + strlen("ipc://"), &about) == 0 && about.st_uid == geteuid();
}

char *control_default_socket(void)
{
    const char *named = getenv("DRIFTC_SOCKET");
    if (named && *named)
        return must(strdup(named));
    char own[CONFIG_ENDPOINT_MAX], system[CONFIG_ENDPOINT_MAX];
    config_control_default(system, NULL);
    /* A daemon that ends leaves its socket behind: being there is not enough. */
    if (own_socket(own) && (knock(own) == 0 || knock(system) != 0))
        return must(strdup(own));
    return must(strdup(system));
}

/* Of what is no Unix socket nothing is known before it is asked. */
static int knock_if_local(const char *endpoint)
{
    return strncmp(endpoint, "ipc://", 6) == 0 ? knock(endpoint) : 0;
}

bool control_is_there(void)
{
    char *endpoint = control_default_socket();
    bool there = knock_if_local(endpoint) == 0;
    free(endpoint);
    return there;
}

static int reach(const char *endpoint)
{
    int error = knock_if_local(endpoint);
    if (error == 0)
        return 0;
    if (error == EACCES || error == EPERM) {
        say("no permission to open the socket %s; its group may, or root", endpoint);
        return EX_NOPERM;
    }
    if (error == ENAMETOOLONG) {
        say("the socket %s has a path too long or too short for a Unix socket", endpoint);
        return EX_USAGE;
    }
    say("is driftd running? socket %s: %s", endpoint, strerror(error));
    return EX_UNAVAILABLE;
}

/* Waits until the socket can be read; false when the time is over. */
static bool wait_for(void *socket, double seconds)
{
    int64_t until_ns = clock_now_ns() + (int64_t)(seconds * 1e9);
    for (;;) {
        int64_t left_ms = (until_ns - clock_now_ns()) / 1000000;
        zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
        int ready = zmq_poll(&item, 1, left_ms > 0 ? (long)left_ms : 0);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

/* Sends the question and receives one frame. */
static int exchange(void *socket, const struct common *common, const char *endpoint, const char *question,
                    zmq_msg_t *answer)
{
    int none = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    if (connect_to(socket, endpoint) < 0) {
        say("'%s' is no endpoint that can be reached: %s", endpoint, zmq_strerror(errno));
        return EX_USAGE;
    }
    if (zmq_send(socket, question, strlen(question), ZMQ_DONTWAIT) < 0 || !wait_for(socket, common->timeout_s)) {
        say("driftd does not answer within %s: is it running? socket %s", figure_span(common->timeout_s).text,
            endpoint);
        return EX_UNAVAILABLE;
    }
    if (zmq_msg_recv(answer, socket, ZMQ_DONTWAIT) < 0 || zmq_msg_more(answer)) {
        say("the socket %s does not speak as driftd does", endpoint);
        return EX_PROTOCOL;
    }
    return 0;
}

/* Reads an answer; *granted_p says what the daemon said. NULL: it is none of driftd's, and that is said. */
static json_t *read_answer(const char *endpoint, struct text text, bool *granted_p)
{
    json_error_t error;
    json_t *json = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    const json_t *ok = json_object_get(json, "ok");
    *granted_p = json_is_true(ok);
    if (json_is_boolean(ok))
        return json;
    say("the answer on socket %s is not one of driftd's: %s", endpoint, json ? "no member ok" : error.text);
    json_decref(json);
    return NULL;
}

/* Mistakes of a configuration: a line each, as a compiler writes them. */
static void say_errors(const json_t *errors)
{
    const json_t *error;
    size_t index;
    json_array_foreach(errors, index, error) {
        visible_put(stderr, (struct text){.at = json_is_string(error) ? json_string_value(error) : "",
                                          .len = json_string_length(error)});
        fputc('\n', stderr);
    }
}

static void say_refusal(const json_t *answer)
{
    if (json_array_size(json_object_get(answer, "errors")) > 1)
        say_errors(json_object_get(answer, "errors"));
    struct text why = member_text(answer, "message"), code = member_text(answer, "error");
    const struct text shown = why.len ? why : code.len ? code : text_of("driftd refuses and does not say why");
    say("%.*s", (int)shown.len, shown.at);
}

/* One exchange. On success *out_p is the answer, granted or refused, and `body` has it as it came. */
static int ask(const struct common *common, json_t *question, json_t **out_p, bool *granted_p, zmq_msg_t *body)
{
    char *endpoint = common->socket ? must(strdup(common->socket)) : control_default_socket();
    char *text = must(json_dumps(question, JSON_COMPACT));
    json_decref(question);
    int status = reach(endpoint);
    if (status == 0) {
        void *context = must(zmq_ctx_new()), *socket = must(zmq_socket(context, ZMQ_REQ));
        status = exchange(socket, common, endpoint, text, body);
        zmq_close(socket);
        zmq_ctx_term(context);
    }
    if (status == 0) {
        *out_p = read_answer(endpoint, (struct text){.at = zmq_msg_data(body), .len = zmq_msg_size(body)}, granted_p);
        status = *out_p ? 0 : EX_PROTOCOL;
    }
    free(text);
    free(endpoint);
    return status;
}

int control_get(const struct common *common, json_t *question, json_t **answer_p)
{
    zmq_msg_t body;
    bool granted = false;
    *answer_p = NULL;
    zmq_msg_init(&body);
    int status = ask(common, question, answer_p, &granted, &body);
    zmq_msg_close(&body);
    if (status || granted)
        return status;
    say_refusal(*answer_p);
    json_decref(*answer_p);
    *answer_p = NULL;
    return EXIT_REFUSED;
}

int control_ask(const struct common *common, json_t *question, control_show_fn *show, const void *argument)
{
    zmq_msg_t body;
    json_t *answer = NULL;
    bool granted = false;
    zmq_msg_init(&body);
    int status = ask(common, question, &answer, &granted, &body);
    if (status == 0 && common->json) {
        visible_put_json(stdout, (struct text){.at = zmq_msg_data(&body), .len = zmq_msg_size(&body)});
        putchar('\n');
    } else if (status == 0 && granted) {
        show(answer, argument);
    }
    if (status == 0 && !granted) {
        say_refusal(answer);
        status = EXIT_REFUSED;
    }
    json_decref(answer);
    zmq_msg_close(&body);
    return status;
}
