/* topic.h - what the topic of a frame is about: a model's id, or a node.
 *
 * Threads: pure functions. Memory: borrowed from the frame, and gone when it moves. Failure: none.
 */
#ifndef DRIFTD_WORKERS_TOPIC_H
#define DRIFTD_WORKERS_TOPIC_H

#include "daemon/base/frame.h"
#include "lib/text.h"

/* The bytes behind the prefix that the frame's kind stands for. */
static inline struct text topic_about(const struct frame *frame)
{
    static const uint8_t prefix[] = {[FRAME_METRICS] = sizeof "metrics/" - 1,
                                     [FRAME_BATCH] = sizeof "batch/" - 1,
                                     [FRAME_BEACON] = sizeof "beacon/" - 1};
    const size_t skipped = frame_is_ours(frame->kind) ? prefix[frame->kind] : 0;
    return (struct text){frame->topic + skipped, frame->topic_len - skipped};
}

#endif
