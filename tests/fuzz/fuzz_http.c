/* fuzz_http.c - the HTTP station against any bytes: what goes out is nothing or begins with a status line, and requests
 * after it are answered.
 *
 * Each input is a connection of its own, over a pair of sockets that libmicrohttpd is handed; the turns of the
 * station's thread are called from here, with a time of their own, and its questions are answered in between. Few
 * inputs go over TCP to a station with its thread as well, as that costs a hundred times more. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/observe/http_inside.h"
#include "tests/fuzz/fuzz_main.h"

#define SENT_MAX 20000
#define PATIENCE_MS 20000 /* for an answer that has to come */
#define GLANCE_MS 2
#define TURNS_MAX 24 /* a route asks two questions at most; a response takes a few turns to leave */
#define IDLE_TURNS 2
#define APART_NS (3 * CLOCK_S_NS) /* from input to input: no answer stays fresh */
#define WITHOUT_ANSWER 13         /* of 64 inputs, by their sum, this one finds nobody who answers */
#define OVER_TCP 31               /* of 2,048 inputs */
#define CHECKED 7                 /* of 64: the next request has to be answered */

static const char healthy[] = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";

static const char *const statuses[] = {
    "{\"ok\":true,\"events\":3,\"dropped\":{\"syntax\":1},\"lost\":{\"n\\\"\\n\":2},\"models\":{\"healthy\":1},"
    "\"requests\":{\"PENDING\":1},\"reload\":{\"ok\":true},\"checkpoint\":{}}",
    "{\"ok\":true,\"events\":1e9,\"incomplete\":[\"shard 0\"],\"store_full\":true,\"reload\":{\"ok\":false},"
    "\"checkpoint\":{\"error\":\"disk\"}}",
    "{\"ok\":false,\"error\":\"timeout\",\"message\":\"m\"}", "{}"};
static const char *const models[] = {"{\"ok\":true,\"models\":[{\"model\":\"a/b/"
                                     "c\",\"state\":\"healthy\",\"failures\":0,\"events\":1,\"kpis\":[{\"name\":"
                                     "\"accuracy\",\"observed\":0.5}]}],\"total\":1}",
                                     "{\"ok\":true,\"models\":[{\"model\":\"a/\\\"\\n/"
                                     "c\",\"state\":\"failed\",\"failures\":2,\"events\":1}],\"total\":9}",
                                     "{\"ok\":false,\"error\":\"bad_message\",\"message\":\"m\"}",
                                     "{\"ok\":true,\"models\":[]}"};
static const char *const of_one[] = {
    "{\"ok\":true,\"model\":\"a/b/c\",\"state\":\"healthy\",\"kpis\":[{\"name\":\"accuracy\",\"observed\":0.5}]}",
    "{\"ok\":true,\"model\":\"a/b/c\",\"state\":\"x\",\"kpis\":[{\"name\":\"latency_ms\",\"observed\":null}]}",
    "{\"ok\":false,\"error\":\"unknown_model\",\"message\":\"m\"}", "{\"ok\":true,\"model\":\"a/b/c\",\"kpis\":[]}"};
static const char refused[] = "{\"ok\":false,\"error\":\"unknown_command\",\"message\":\"m\"}";

/* A station, and who answers it. */
struct station {
    struct inbox *control;
    struct http *http;
};

static struct station turned, threaded;
static struct sockaddr_in address = {.sin_family = AF_INET};
static struct now now;

static void must(bool kept)
{
    if (!kept)
        abort();
}

static const char *answer_to(const char *ask, unsigned which)
{
    if (strstr(ask, "\"do\":\"status\""))
        return statuses[which % 4];
    if (strstr(ask, "\"do\":\"models\""))
        return models[which % 4];
    return strstr(ask, "\"do\":\"model\"") ? of_one[which % 4] : refused;
}

static bool answer_all(struct inbox *control, unsigned which)
{
    struct letter letter;
    bool any = false;
    while (inbox_take(control, &letter)) {
        struct question *question = letter.body;
        must(letter.kind == LETTER_QUESTION);
        question->answer = strdup(answer_to(question->ask, which));
        letter.kind = LETTER_ANSWER;
        must(inbox_put(question->reply_to, letter) == 0);
        any = true;
    }
    return any;
}

static void *answer_thread(void *control)
{
    struct pollfd poller = {.fd = inbox_fd(control), .events = POLLIN};
    while (poll(&poller, 1, -1) >= 0)
        answer_all(control, 0);
    return NULL;
}

static void make(struct station *station)
{
    static const char *const hosts[] = {"localhost"};
    struct http_options options = {.listen = "127.0.0.1:0", .hosts = hosts, .host_count = 1};
    char why[ENDPOINT_WHY_MAX];
    must(inbox_new(&station->control) == 0 && http_new(&station->http, &options, why) == 0);
}

static void begin(void)
{
    pthread_t thread;
    make(&turned);
    make(&threaded);
    must(http_prepare(turned.http, turned.control) == 0 && http_start(threaded.http, threaded.control) == 0);
    must(pthread_create(&thread, NULL, answer_thread, threaded.control) == 0);
    pthread_detach(thread);
    now = clock_now();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(http_address(threaded.http), ':') + 1));
}

static void send_all(int fd, const uint8_t *data, size_t size)
{
    must(send(fd, data, size, MSG_NOSIGNAL) >= 0 || errno == EPIPE || errno == ECONNRESET);
}

/* Turns the station until it has said what it has to say. How many of the first bytes came. */
static size_t listen_to(int fd, char *out, size_t room, int which)
{
    char more[4096];
    size_t came = 0;
    for (int turn = 0, idle = 0; turn < TURNS_MAX && idle < IDLE_TURNS; turn++, idle++) {
        must(http_turn(turned.http, now));
        if (which >= 0 && answer_all(turned.control, (unsigned)which))
            idle = -1;
        ssize_t got =
            came < room ? recv(fd, out + came, room - came, MSG_DONTWAIT) : recv(fd, more, sizeof more, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        came += got > 0 && came < room ? (size_t)got : 0;
        idle = got > 0 ? -1 : idle;
    }
    return came;
}

static size_t talk(const uint8_t *data, size_t size, char *out, size_t room, int which)
{
    static const struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    int fd[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0);
    send_all(fd[0], data, size);
    must(MHD_add_connection(turned.http->daemon, fd[1], (const struct sockaddr *)&nobody, sizeof nobody) == MHD_YES);
    size_t came = listen_to(fd[0], out, room, which);
    if (which < 0) { /* who waits for an answer that does not come is told so */
        now.steady_ns += 7 * CLOCK_S_NS;
        came = came > 0 ? came : listen_to(fd[0], out, room, which);
        answer_all(turned.control, 0);
    }
    close(fd[0]);
    must(http_turn(turned.http, now));
    return came;
}

/* Sends it all, and takes what comes first; most that is sent is no whole request, and nothing comes. */
static size_t talk_over_tcp(const uint8_t *data, size_t size, char *out, size_t room, int patience_ms)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger reset = {.l_onoff = 1};
    must(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* no port stays in TIME_WAIT */
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    send_all(fd, data, size);
    ssize_t got = poll(&poller, 1, patience_ms) == 1 ? recv(fd, out, room, 0) : 0;
    close(fd);
    return got > 0 ? (size_t)got : 0;
}

static void promise_status_line(const char *out, size_t came)
{
    must(came < 5 || memcmp(out, "HTTP/", 5) == 0);
}

static void promise_health(const char *out, size_t came)
{
    must(came >= 12 && memcmp(out + 9, "200", 3) == 0);
}

static void over_tcp(const uint8_t *data, size_t size)
{
    char out[16] = "";
    promise_status_line(out, talk_over_tcp(data, size, out, sizeof out - 1, GLANCE_MS));
    promise_health(out, talk_over_tcp((const uint8_t *)healthy, sizeof healthy - 1, out, sizeof out - 1, PATIENCE_MS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[16] = "";
    unsigned sum = (unsigned)size;
    if (!turned.http)
        begin();
    size = size < SENT_MAX ? size : SENT_MAX;
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + data[i];
    now.steady_ns += APART_NS;
    now.wall_s += 3;
    promise_status_line(out,
                        talk(data, size, out, sizeof out - 1, sum % 64 == WITHOUT_ANSWER ? -1 : (int)(sum / 64 % 4)));
    if (sum % 64 == CHECKED)
        promise_health(out, talk((const uint8_t *)healthy, sizeof healthy - 1, out, sizeof out - 1, 0));
    if (sum % 2048 == OVER_TCP)
        over_tcp(data, size);
    return 0;
}

#ifdef FUZZ_STANDALONE
static const char get[] = "GET /api/v1/models?limit=3&sort=name HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const uint8_t *const examples[] = {(const uint8_t *)get};
static const size_t sizes[] = {sizeof get - 1};
#endif
FUZZ_MAIN(examples, sizes, 1)
