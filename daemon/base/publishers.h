/* publishers.h - the publishers that a socket of libzmq's connects to: whether they are reached, and who is not tried again.
 *
 * libzmq connects again to whoever was away, but not to one that broke the protocol: one that did not speak ZMTP, had
 * other keys, or sent a message beyond ZMQ_MAXMSGSIZE is never heard again. Of its monitor's events
 * (zmq_socket_monitor(3)) that is the one that is missing: behind the end of a connection comes CONNECT_RETRIED at once,
 * or nothing.
 *
 * An endpoint is called as it was given until a connection to it has been made, and by its address of numbers then, so
 * both are known here.
 *
 * Threads: the owner's. Memory: a table of fixed size; endpoints beyond it are not looked after. Failure: none.
 */
#ifndef DRIFTD_BASE_PUBLISHERS_H
#define DRIFTD_BASE_PUBLISHERS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/endpoint.h"

#define PUBLISHERS_MAX 64
#define PUBLISHERS_LOST_NS INT64_C(2000000000) /* how long nothing follows an end before it is a publisher lost */

struct publisher {
    char endpoint[ENDPOINT_MAX]; /* as it was given */
    char address[ENDPOINT_MAX];  /* "": not known */
    bool away;                   /* it was not reached when it was last tried */
    bool in;                     /* the latest connection's handshake succeeded */
    int64_t ended_ns;            /* when that ended, and nothing followed; 0: something did */
    int64_t told_ns;             /* when somebody was told that it was lost, 0: never; and */
    uint64_t times;              /* how often it was since: the caller's */
};

struct publishers {
    struct publisher at[PUBLISHERS_MAX];
    uint32_t count;
};

/* It is tried, or will be after a while. True: for the first time since it was reached. */
bool publishers_tried(struct publishers *self, const char *endpoint);

/* There is a connection; its handshake begins. `address`: an endpoint of numbers, or "". */
void publishers_connected(struct publishers *self, const char *endpoint, const char *address);

/* Its handshake succeeded. True: it had been away. Others' endpoints are not taken for publishers. */
bool publishers_reached(struct publishers *self, const char *endpoint);

/* Its connection ended, at `now_ns` (above 0). Others' endpoints are ignored. */
void publishers_ended(struct publishers *self, const char *endpoint, int64_t now_ns);

/* Those that libzmq will not try again, all at once: none while of one it is not known yet. Fills `lost` with pointers
 * into the table, and returns how many. From then on they count as tried again. */
uint32_t publishers_lost(struct publishers *self, int64_t now_ns, struct publisher *lost[PUBLISHERS_MAX]);

#endif
