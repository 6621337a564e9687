/* endpoint.h - binds and connects the daemon's sockets, and says in a sentence why it cannot.
 *
 * Of ipc:// endpoints libzmq takes away whatever file stands at the path, be it another daemon's socket; here a file
 * whose owner still listens, or that is no socket, is left alone and refused.
 *
 * Threads: whoever owns the socket. Memory: none. Failure: a negative error and the sentence.
 */
#ifndef DRIFTD_BASE_ENDPOINT_H
#define DRIFTD_BASE_ENDPOINT_H

#include <czmq.h>

#define ENDPOINT_MAX 256
#define ENDPOINT_WHY_MAX 512

/* Binds `socket`. `key` is the configuration's name for it, for the sentence. `actual` gets the endpoint as it stands,
 * with the port that stands for "*". Returns 0; -EADDRINUSE: somebody is there; -EINVAL: no such kind of endpoint;
 * other errors as bind(2) has them. */
int endpoint_bind(zsock_t *socket, const char *key, const char *endpoint, char actual[ENDPOINT_MAX],
                  char why[ENDPOINT_WHY_MAX]);

/* Gives an endpoint up that endpoint_bind() returned as `actual`; a Unix socket's file goes with it. */
void endpoint_unbind(zsock_t *socket, const char *actual);

/* Whether it is TCP at an address of numbers, at localhost or at all addresses, or a Unix socket at a path: then
 * endpoint_listen() can have it. */
bool endpoint_is_plain(const char *endpoint);

/* As endpoint_bind(), without libzmq: a listening socket that does not block, for endpoint_close(); or a negative
 * error. Connections that come in through it are found dead within `dead_s` seconds, as by endpoint_find_dead(). */
int endpoint_listen(const char *key, const char *endpoint, int dead_s, char actual[ENDPOINT_MAX],
                    char why[ENDPOINT_WHY_MAX]);

/* Closes what endpoint_listen() returned; a Unix socket's file, `actual`, goes first: later it could be another daemon's. */
void endpoint_close(int fd, const char *actual);

/* As endpoint_bind() for connecting, which succeeds before anybody is there. */
int endpoint_connect(zsock_t *socket, const char *key, const char *endpoint, char why[ENDPOINT_WHY_MAX]);

/* Has TCP find out that a peer is gone without a word, within `within_s` seconds (at least 4), on connections that are
 * made from now on. ZMTP's own heartbeats are not for that: where a queue is full they go unanswered, and end
 * connections and whole processes (docs/decisions/0033-dead-peers-are-found-by-tcp.md). With `sending` also whoever
 * does not confirm or take for so long what was sent to it. */
void endpoint_find_dead(zsock_t *socket, int within_s, bool sending);

#endif
