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

/* Whether two sockets cannot both bind it: it names no wildcard. */
bool endpoint_is_exclusive(struct text endpoint);

#endif
