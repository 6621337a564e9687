/* http.h - the station for browsers and Prometheus: metrics, a JSON API and the status page, to be read only.
 *
 * It knows nothing by itself. Whatever is looked at is asked of the control station by letter, and kept for a second, so
 * that many viewers cost as much as one and none of them holds the line up. A request waits for its answer without a
 * thread of its own.
 *
 * Bounds: so many connections, so many bytes of headers, so much time for a request; the Host header has to name one of
 * the hosts that are allowed, or a page elsewhere could read along by a name that points here.
 *
 * Threads: everything by the engine; http_facts(), http_heart() by any. Memory: bounded by the above, and by the size of
 * the answers. Failure: http_new() says in a sentence what could not be had.
 */
#ifndef DRIFTD_OBSERVE_HTTP_H
#define DRIFTD_OBSERVE_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/endpoint.h"
#include "daemon/base/heart.h"
#include "daemon/base/inbox.h"

struct http_options {
    const char *listen; /* "host:port" */
    const char *const *hosts;
    uint32_t host_count;
};

struct http;

/* Listens. 0, -EADDRINUSE and the like, or -ENOMEM, with a sentence. */
int http_new(struct http **self_p, const struct http_options *options, char why[ENDPOINT_WHY_MAX]);

/* Where it listens, with the real port: "127.0.0.1:9570". */
const char *http_address(const struct http *self);

/* `control`: who answers questions; outlives the thread. */
int http_start(struct http *self, struct inbox *control);
const struct heart *http_heart(const struct http *self);

/* {"requests", "refused", "connections"} */
json_t *http_facts(const struct http *self);

/* Ends the thread and every connection. Answers may still come in until http_destroy(). */
void http_stop(struct http *self);
void http_destroy(struct http **self_p);

#endif
