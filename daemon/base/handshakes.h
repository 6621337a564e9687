/* handshakes.h - who does not come in through libzmq's sockets, or is not reached by them, told in the log.
 *
 * libzmq turns a peer away without a word: one that speaks with keys where there are none, or the other way round, or
 * that holds another server's key; and a publisher that cannot be reached is tried again for ever. What it tells a
 * monitor of its own socket (zmq_socket_monitor(3)) a thread here reads and writes down, the same of a peer's host once a
 * minute. Peers that end the handshake themselves are told of once an hour: probes of a port do, and who finds first
 * that the other side's keys or type do not fit. Peers for whom there are too few descriptors are ended.
 *
 * Threads: handshakes_watch() by who made the socket, before handshakes_start(); handshakes_heart() and
 * handshakes_counts() by any; handshakes_lost() and handshakes_reconnected() by who owns the one socket that connects; the rest
 * by the engine. It must outlive the sockets: what it does not read holds libzmq up.
 * Memory: some 50 kB a socket. Failure: -ENOMEM where a socket or a thread cannot be had.
 */
#ifndef DRIFTD_BASE_HANDSHAKES_H
#define DRIFTD_BASE_HANDSHAKES_H

#include <czmq.h>

#include "daemon/base/endpoint.h"
#include "daemon/base/heart.h"

/* Descriptors that peers of libzmq's sockets leave to operators, or an eighth of all where that is fewer. */
#define HANDSHAKES_LEAVE 32

struct handshakes;

struct handshakes_counts {
    uint64_t failed;     /* what was wrong with them is known, but for keys that were refused */
    uint64_t broken_off; /* by the peer, or not finished in time */
    uint64_t reconnected; /* publishers that libzmq would not have tried again */
};

int handshakes_new(struct handshakes **self_p);

/* `key` is the configuration's name of the socket; borrowed. NULL as `self`: nobody is to be told. */
int handshakes_watch(struct handshakes *self, zsock_t *socket, const char *key);

int handshakes_start(struct handshakes *self);
const struct heart *handshakes_heart(const struct handshakes *self);
struct handshakes_counts handshakes_counts(const struct handshakes *self);

/* Publishers that libzmq will not try again: who connected to them disconnects all of them, then connects to them again, and
 * calls handshakes_reconnected(). Returns how many, 0 in most turns; *endpoints_p: as they were given, valid until then. */
uint32_t handshakes_lost(struct handshakes *self, const char (**endpoints_p)[ENDPOINT_MAX]);
void handshakes_reconnected(struct handshakes *self);

/* After every socket was closed. */
void handshakes_destroy(struct handshakes **self_p);

#endif
