/* told.h - whom the log was told of lately: a node that comes again ten times a second, for the same reason each time,
 * gets a line in a while.
 *
 * Threads: the owner's. Memory: a table of fixed size; who finds no place takes that of the one longest there. Failure:
 * none.
 */
#ifndef DRIFTD_BASE_TOLD_H
#define DRIFTD_BASE_TOLD_H

#include <stdint.h>

#include "daemon/base/address.h"

#define TOLD_HOSTS 16
#define TOLD_NS INT64_C(60000000000) /* the usual while */

struct told {
    struct {
        char host[ADDRESS_TEXT_MAX];
        const char *why;
        int64_t since_ns;
        uint64_t times; /* since the last line */
    } at[TOLD_HOSTS];
    uint32_t next;
};

/* 0: this was told of the peer's host, which is what stands before its port where it has one, within `every_ns`. Else it
 * is to be told now, and how many times it happened since the last line, this time included. `why` is borrowed for good, and the same
 * reason is the same pointer. */
uint64_t told_again(struct told *self, const char peer[ADDRESS_TEXT_MAX], const char *why, int64_t now_ns,
                     int64_t every_ns);

#endif
