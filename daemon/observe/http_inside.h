/* http_inside.h - what the files of the HTTP station share; for them alone.
 *
 * Threads: the station's, but for the counters.
 */
#ifndef DRIFTD_OBSERVE_HTTP_INSIDE_H
#define DRIFTD_OBSERVE_HTTP_INSIDE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "daemon/base/clock.h"
#include "daemon/observe/answers.h"
#include "daemon/observe/history.h"
#include "daemon/observe/http.h"

#define HTTP_HOSTS_MAX 34 /* those of the configuration, the address itself, and one more */
#define HTTP_CONNECTIONS_MAX 64
#define HTTP_NAME_MAX 256

/* A connection, and when its current request began or its last one ended. */
struct http_slot {
    struct MHD_Connection *connection; /* NULL: free */
    int64_t since_ns;
    bool waiting;
};

/* One request. */
struct http_exchange {
    struct http_exchange *next; /* of those that wait */
    struct MHD_Connection *connection;
    int64_t since_ns;
};

struct http {
    int socket;
    char address[HTTP_NAME_MAX + 8];
    char hosts[HTTP_HOSTS_MAX][HTTP_NAME_MAX];
    uint32_t host_count;
    struct inbox *inbox;
    struct answers *answers;
    struct history *history;
    int64_t looked_ns;   /* when the models that have a history were last asked for */
    uint32_t looking;    /* at which of the lists; 0: at none now */
    struct MHD_Daemon *daemon;
    struct http_slot slots[HTTP_CONNECTIONS_MAX];
    struct http_exchange *waiting;
    int64_t now_ns; /* of this turn */
    double wall_s;
    bool stopping;
    pthread_t thread;
    bool started;
    struct heart heart;
    atomic_uint_fast64_t requests, refused;
    atomic_uint connections;
};

/* http_serve.c: answers a request, or lets it wait. */
enum MHD_Result http_serve(void *argument, struct MHD_Connection *connection, const char *url, const char *method,
                           const char *version, const char *upload, size_t *upload_bytes, void **exchange_p);
void http_served(void *argument, struct MHD_Connection *connection, void **exchange_p,
                 enum MHD_RequestTerminationCode code);

/* http.c: all of http_start() but the thread. */
int http_prepare(struct http *self, struct inbox *control);

/* http.c: a turn of the thread, which takes letters and answers what is there; it never waits. False: it is to stop. */
bool http_turn(struct http *self, struct now now);

/* http.c: the request is looked at again when there is an answer to any question. */
void http_wait(struct http *self, struct http_exchange *exchange);
void http_request_ended(struct http *self, const struct MHD_Connection *connection);

#endif
