/* fuzz_http.c - the HTTP station against any bytes, over a real connection: whatever comes in, what goes out is nothing
 * or begins with a status line, and requests after it are answered. Its questions are answered by a thread. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/observe/http.h"
#include "tests/fuzz/fuzz_main.h"

#define SENT_MAX 20000
#define PATIENCE_MS 20000 /* for an answer that has to come */
#define GLANCE_MS 2

static struct inbox *control;
static struct http *http;
static struct sockaddr_in address = {.sin_family = AF_INET};

static const char *answer_to(const char *ask)
{
    if (strstr(ask, "\"do\":\"status\""))
        return "{\"ok\":true,\"events\":3,\"dropped\":{\"syntax\":1},\"lost\":{\"n\\\"\\n\":2},\"models\":{\"healthy\":"
               "1},"
               "\"requests\":{\"PENDING\":1},\"reload\":{\"ok\":true},\"checkpoint\":{}}";
    if (strstr(ask, "\"do\":\"models\""))
        return "{\"ok\":true,\"models\":[{\"model\":\"a/b/"
               "c\",\"state\":\"healthy\",\"failures\":0,\"events\":1}],\"total\":1}";
    if (strstr(ask, "\"do\":\"model\""))
        return "{\"ok\":true,\"model\":\"a/b/c\",\"state\":\"healthy\",\"kpis\":[]}";
    return "{\"ok\":false,\"error\":\"unknown_request\",\"message\":\"m\"}";
}

static void *run(void *argument)
{
    (void)argument;
    struct pollfd poller = {.fd = inbox_fd(control), .events = POLLIN};
    struct letter letter;
    while (poll(&poller, 1, -1) >= 0) {
        while (inbox_take(control, &letter)) {
            struct question *question = letter.body;
            if (letter.kind != LETTER_QUESTION)
                abort();
            question->answer = strdup(answer_to(question->ask));
            letter.kind = LETTER_ANSWER;
            if (inbox_put(question->reply_to, letter) < 0)
                abort();
        }
    }
    return NULL;
}

static void begin(void)
{
    static const char *const hosts[] = {"localhost"};
    struct http_options options = {.listen = "127.0.0.1:0", .hosts = hosts, .host_count = 1};
    char why[ENDPOINT_WHY_MAX];
    pthread_t thread;
    if (inbox_new(&control) < 0 || pthread_create(&thread, NULL, run, NULL) || http_new(&http, &options, why) < 0 ||
        http_start(http, control) < 0)
        abort();
    pthread_detach(thread);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(http_address(http), ':') + 1));
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger reset = {.l_onoff = 1};
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        abort();
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* no port stays in TIME_WAIT */
    return fd;
}

/* Sends it all, and takes what comes first; most that is sent is no whole request, and nothing comes. How many bytes
 * came. */
static size_t talk(const uint8_t *data, size_t size, char *out, size_t room, int patience_ms)
{
    int fd = dial();
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    if (send(fd, data, size, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        abort();
    ssize_t got = poll(&poller, 1, patience_ms) == 1 ? recv(fd, out, room, 0) : 0;
    close(fd);
    return got > 0 ? (size_t)got : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char next[] = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
    char out[16] = "";
    if (!http)
        begin();
    size_t came = talk(data, size < SENT_MAX ? size : SENT_MAX, out, sizeof out - 1, GLANCE_MS);
    if (came >= 5 && memcmp(out, "HTTP/", 5) != 0)
        abort();
    if (size % 64 == 0 && (talk((const uint8_t *)next, sizeof next - 1, out, sizeof out - 1, PATIENCE_MS) < 12 ||
                           memcmp(out + 9, "200", 3) != 0))
        abort();
    return 0;
}

#ifdef FUZZ_STANDALONE
static const char get[] = "GET /api/v1/models?limit=3&sort=name HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const uint8_t *const examples[] = {(const uint8_t *)get};
static const size_t sizes[] = {sizeof get - 1};
#endif
FUZZ_MAIN(examples, sizes, 1)
