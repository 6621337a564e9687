/* doors.h - the endpoints that a socket is bound to, each with the server's key it was bound with.
 *
 * A socket of CURVE has one key at a time, but an endpoint keeps the one that held when it was bound: so a socket can
 * have two sets of endpoints with a key each, which is how a key is changed while everybody still comes in. Unbinding
 * an endpoint ends every connection that came in through it; binding it anew is how a peer is cut off that a PUSH or
 * PUB socket could not refuse otherwise. Messages that came in before stay to be read.
 *
 * Threads: doors_endpoint() by any; the rest by whoever owns the socket. Memory: what is handed in is copied. Failure:
 * negative errors with a sentence.
 */
#ifndef DRIFTD_BASE_DOORS_H
#define DRIFTD_BASE_DOORS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/curve.h"
#include "daemon/base/endpoint.h"
#include "daemon/base/inbox.h"

#define DOORS_SETS 2 /* the usual endpoints, and those of the second key */

struct doors_set {
    const char *const *bind;
    uint32_t count;
    const struct curve_server *curve; /* NULL: none */
};

/* What a socket is to be bound to. The second set may be empty. */
struct doors_wish {
    struct doors_set sets[DOORS_SETS];
    bool cut; /* bind anew what stays the same, too: whoever is connected has to come in again */
};

/* The same of a project's own socket; the name is borrowed. */
struct doors_project {
    const char *project;
    struct doors_wish wish;
};

/* What such a socket is called: its key in the configuration, "projects.shop.jobs", and what ZAP hears, "jobs/shop". */
#define DOORS_NAME_MAX 192
struct doors_name {
    char key[DOORS_NAME_MAX], domain[DOORS_NAME_MAX];
};
void doors_name_of(struct doors_name *out, const char *project, const char *kind);

/* LETTER_DOORS: the wish of a reload, engine -> the owner of the socket, who writes into it what came of it and answers
 * with LETTER_RENEWED. It is the engine's, with all that it points to, and borrowed until then. */
struct doors_letter {
    struct doors_wish wish;
    const struct doors_project *own; /* sockets of single projects, in the order and number of the start */
    uint32_t own_count;
    struct inbox *reply_to;
    int error; /* 0, or of doors_open(), with its sentence */
    char why[ENDPOINT_WHY_MAX];
};
void doors_letter_back(struct doors_letter *letter);

struct doors;

/* Who listens without libzmq, where an endpoint is plain (endpoint_is_plain()) and needs no key. By the socket's
 * owner. */
struct doors_plain {
    void *argument;
    int (*open)(void *argument, const char *key, const char *endpoint, char actual[ENDPOINT_MAX],
                char why[ENDPOINT_WHY_MAX]);          /* as endpoint_bind() */
    void (*shut)(void *argument, const char *actual); /* as endpoint_unbind() */
};

/* Before anything is opened: from then on such endpoints are `plain`'s, and the socket's are the others. */
void doors_set_plain(struct doors *self, const struct doors_plain *plain);

/* Whether any endpoint is the socket's. By its owner. */
bool doors_any_of_socket(const struct doors *self);

/* `key` is the configuration's name of the endpoints, `domain` what ZAP hears; both are borrowed. 0 or -ENOMEM. */
int doors_new(struct doors **self_p, const char *key, const char *domain);

/* Binds and unbinds until the socket has what is wished; what stays the same is left alone. An endpoint that is bound
 * anew keeps the port that stood for "*". 0, or the first error: -ENOMEM, and nothing has changed; another, and the
 * rest of the wish is fulfilled nevertheless. The next call tries again. */
int doors_open(struct doors *self, zsock_t *socket, const struct doors_wish *wish, char why[ENDPOINT_WHY_MAX]);

/* Unbinds everything. */
void doors_shut(struct doors *self, zsock_t *socket);

/* The n-th endpoint as it is bound, with the port that stands for "*"; false: there is none. */
bool doors_endpoint(struct doors *self, uint32_t n, char out[ENDPOINT_MAX]);

void doors_destroy(struct doors **self_p);

#endif
