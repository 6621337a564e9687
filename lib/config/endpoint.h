/* endpoint.h - is this an endpoint that ZeroMQ can take?
 *
 * Threads: pure functions. Memory: nothing is taken. Failure: a sentence (static) that says what is wrong; NULL:
 * nothing.
 */
#ifndef DRIFT_LIB_CONFIG_ENDPOINT_H
#define DRIFT_LIB_CONFIG_ENDPOINT_H

#include "lib/text.h"

enum endpoint_use {
    ENDPOINT_BIND,
    ENDPOINT_CONNECT, /* no wildcards */
    ENDPOINT_CONTROL  /* bind, where only this machine can reach it: whoever can, may command */
};

#define ENDPOINT_FORMS "tcp://host:port, ipc://path or inproc://name"

const char *endpoint_check(struct text endpoint, enum endpoint_use use);

/* The same of "host:port", where a TCP listener of our own waits: an address, localhost or '*'; port 0: any that is free. */
#define LISTEN_FORMS "an address and a port, as in 127.0.0.1:9570, [::1]:9570 or *:9570"
const char *endpoint_listen_check(struct text listen);

/* A host name or an address, without a port, as browsers send it. */
const char *endpoint_name_check(struct text host);

/* Whether two sockets cannot bind these, which are well formed: they are the same, or one is the other's port on every
 * address. */
bool endpoint_clashes(struct text a, struct text b);
bool endpoint_clashes_with_listener(struct text endpoint, struct text listen); /* that of "host:port" */

/* Nobody beyond this machine can reach it: tcp:// on a loopback address, or no tcp:// at all. */
bool endpoint_is_local(struct text endpoint);
bool endpoint_listen_is_local(struct text listen); /* of "host:port" */

#endif
