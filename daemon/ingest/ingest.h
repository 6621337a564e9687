/* ingest.h - the station that receives: frames of the metrics socket, checked for their shape and handed on.
 *
 * One thread with an XSUB socket that binds, connects or both. It never waits for a disk; when who takes the frames is
 * behind, it waits, connections fill, and publishers drop.
 *
 * Plain TCP and Unix sockets with a path are read without libzmq (nodes.h); what else there is comes through the socket.
 *
 * How large a message may be: a payload above max_message is handed on to be counted `too_large`; a frame of more than
 * INGEST_FRAME_FACTOR times that ends its connection, so that nobody makes us hold it.
 *
 * Threads: everything by the engine but what says otherwise. Memory: the sink must
 * outlive the station. Failure: ingest_new() says in a sentence which endpoint could not be had.
 */
#ifndef DRIFTD_INGEST_INGEST_H
#define DRIFTD_INGEST_INGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/clock.h"
#include "daemon/base/doors.h"
#include "daemon/base/frame.h"
#include "daemon/base/handshakes.h"
#include "daemon/base/heart.h"
#include "daemon/base/inbox.h"

#define INGEST_FRAME_FACTOR 4

struct ingest_options {
    struct doors_wish doors;
    char *const *connect; /* copied; with the key of the first set */
    uint32_t connect_count;
    uint32_t queue; /* messages a connection, ZMQ_RCVHWM */
    uint64_t max_message_bytes;
    struct handshakes *handshakes; /* NULL: none; of the socket alone */
    int64_t gather_ns; /* how long frequent messages may gather before they are taken (pace.h); 0: not at all */
};

/* Who takes the frames. Called by the ingest thread. */
struct ingest_sink {
    void *argument;
    /* Up to FRAME_BATCH_MAX frames, which stay initialised; what they hold may be gone. */
    void (*take)(void *argument, struct frame *frames, uint32_t count, struct now now);
    /* Once a turn, and before the first frame until it is false: true when there is more to do at once. */
    bool (*turn)(void *argument, struct now now);
    int fd; /* readable when turn() has something to do; -1: never */
};

struct ingest;

/* Makes the socket, binds and connects it. 0, or a negative error of endpoint_bind() and the sentence. */
int ingest_new(struct ingest **self_p, const struct ingest_options *options, char why[ENDPOINT_WHY_MAX]);

/* The n-th endpoint as it stands, with its real port; false: there is none. Any thread. */
bool ingest_endpoint(struct ingest *self, uint32_t n, char out[ENDPOINT_MAX]);

/* LETTER_DOORS and LETTER_STOP go in here. */
struct inbox *ingest_inbox(struct ingest *self);

/* Starts the thread. 0 or a negative error. */
int ingest_start(struct ingest *self, const struct ingest_sink *sink);

/* Any thread. */
const struct heart *ingest_heart(const struct ingest *self);

/* Gives the endpoints up, hands on what has been received, and ends the thread: begins it, and waits for it. */
void ingest_stop_begin(struct ingest *self);
bool ingest_stop_finished(struct ingest *self);
/* The drain ends now. Any thread. */
void ingest_hasten(struct ingest *self);

/* Any thread. */
uint64_t ingest_messages(const struct ingest *self);
/* How many nodes are connected, of those that are read without libzmq. Any thread, as ingest_messages(). */
uint32_t ingest_connections(const struct ingest *self);
/* How many connections of these were ended here, for what they sent or did not. */
uint64_t ingest_connections_ended(const struct ingest *self);
void ingest_destroy(struct ingest **self_p);

#endif
