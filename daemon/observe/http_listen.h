/* http_listen.h - the listening socket of the HTTP station, and the names it answers to.
 *
 * Threads: the engine, before the station's thread; http_host_allowed() that thread. Memory: none. Failure: a sentence.
 */
#ifndef DRIFTD_OBSERVE_HTTP_LISTEN_H
#define DRIFTD_OBSERVE_HTTP_LISTEN_H

#include "daemon/observe/http_inside.h"

/* A descriptor that listens, and where; or a negative error and the sentence. */
int http_listen(const char *listen_at, char *address_text, size_t size, char why[ENDPOINT_WHY_MAX]);

void http_set_hosts(struct http *self, const char *const *hosts, uint32_t count);

/* Whether a Host header names one of them, whatever its port. */
bool http_host_allowed(const struct http *self, const char *host);

#endif
