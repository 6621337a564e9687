/* frame.h - one message of the metrics socket on its way from ingest to a shard, and the ring that carries it.
 *
 * Threads: a frame has one owner at a time; a ring has one thread that puts and one that takes. Memory: what a frame
 * points to is held by messages of libzmq's that move with it, or borrowed from whoever made it; a ring takes its slots
 * in ring_new(). Failure: ring_new() and frame_hold() only.
 */
#ifndef DRIFTD_BASE_FRAME_H
#define DRIFTD_BASE_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

/* As many messages are taken in one turn: one look at the clock, one hand-over, one wake. */
#define FRAME_BATCH_MAX 64

enum frame_kind {
    FRAME_METRICS,  /* topic metrics/<model> */
    FRAME_BATCH,    /* topic batch/<node> */
    FRAME_BEACON,   /* topic beacon/<node> */
    FRAME_WRONG,    /* not two parts, or another topic: carried along to be counted */
    FRAME_TOO_LARGE /* only its topic was received, if that; the same */
};

/* Whether it has a topic of ours. */
static inline bool frame_is_ours(enum frame_kind kind)
{
    return kind < FRAME_WRONG;
}

struct frame {
    const char *topic, *payload;
    size_t topic_len, payload_len; /* bytes */
    uint64_t hash;                 /* of the topic's bytes behind its prefix, by the key that the shards share */
    uint32_t parts;                /* as they came; 2 when all is well */
    enum frame_kind kind;
    bool holds;    /* the bytes are those of its own messages; else they are borrowed while it is looked at */
    bool hashed;   /* `hash` is there; else whoever needs it makes it */
    bool accounts; /* the shard that gets this copy answers for the message: its seq, and its drops as a whole */
    zmq_msg_t topic_message, payload_message; /* always initialised */
};

void frame_init(struct frame *self);
void frame_close(struct frame *self);

/* Lets go of what it holds. */
void frame_release(struct frame *self);

/* Points to bytes that somebody else keeps for as long as the frame is looked at where it is; what it held is released.
 */
static inline void frame_borrow(struct frame *self, const char *topic, size_t topic_len, const char *payload,
                                size_t payload_len)
{
    if (self->holds)
        frame_release(self);
    self->topic = topic;
    self->topic_len = topic_len;
    self->payload = payload;
    self->payload_len = payload_len;
}

/* Points to what stands in its own messages. */
void frame_own(struct frame *self);

/* Copies what is borrowed into messages of its own, so that it can move. 0; -ENOMEM: nothing has changed. */
int frame_hold(struct frame *self);

/* Moves *from, which must hold what it points to; it stays initialised and is empty then. *to must be initialised; what
 * it held is released. */
void frame_move(struct frame *to, struct frame *from);

/* A copy that shares the bytes, of a frame that holds them. */
void frame_share(struct frame *to, struct frame *from);

struct frame_ring;

/* `slots` is a power of two. Returns 0, -ENOMEM, or the error of eventfd(2). */
int ring_new(struct frame_ring **self_p, uint32_t slots);

/* For who puts: moves the frame, which holds its bytes, into the ring; it can be taken after ring_publish(). While the
 * ring is full, waits up to `patience_ms`; false: nothing was put, try again. */
bool ring_put(struct frame_ring *self, struct frame *frame, int patience_ms);
void ring_publish(struct frame_ring *self);

/* For who takes: moves up to `most` frames out, without waiting. */
uint32_t ring_take(struct frame_ring *self, struct frame *out, uint32_t most);

/* For who takes, before it sleeps on ring_fd(): true when there is nothing to take and the next ring_publish() will
 * make the descriptor readable; false when there is something after all. */
bool ring_may_sleep(struct frame_ring *self);
/* After the sleep, whatever ended it. */
void ring_awake(struct frame_ring *self);
/* Makes ring_fd() readable; by any thread. */
void ring_wake(struct frame_ring *self);
int ring_fd(const struct frame_ring *self);

void ring_destroy(struct frame_ring **self_p);

#endif
