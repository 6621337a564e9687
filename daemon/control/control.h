/* control.h - the station that answers the operator: one JSON object in, one JSON object out, on a Unix socket.
 *
 * Questions go to the shards and to the keeper of requests as letters, and their answers are put together here. Whoever
 * does not answer in time is named in the reply; nobody who asks waits for ever.
 *
 * Threads: everything by the engine; `facts` and `answer` are called in the station's thread. Memory: bounded: so many questions at a
 * time, so many bytes each. Failure: control_new() says in a sentence which endpoint could not be had.
 */
#ifndef DRIFTD_CONTROL_CONTROL_H
#define DRIFTD_CONTROL_CONTROL_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/base/endpoint.h"
#include "daemon/base/heart.h"
#include "daemon/base/inbox.h"

#define CONTROL_SHARDS_MAX 64

/* Who is asked. The inboxes outlive the station's thread. */
struct control_ports {
    struct inbox *shards[CONTROL_SHARDS_MAX];
    uint32_t shard_count;
    struct inbox *requests;
    struct inbox *checkpoint;
    struct inbox *engine;
    /* Adds to `status` what the engine knows: version, up_s, and the like. */
    void (*facts)(void *argument, json_t *status);
    /* Makes the reply to a question that only the configuration can answer; takes over the answer of the others, which
     * may be a refusal. */
    json_t *(*answer)(void *argument, const json_t *ask, json_t *answer);
    void *argument;
};

struct control;

/* Makes the socket, mode 0660, in place of the one that a dead daemon may have left. */
int control_new(struct control **self_p, char *const *bind, uint32_t bind_count, char why[ENDPOINT_WHY_MAX]);
uint32_t control_endpoint_count(const struct control *self);
const char *control_endpoint(const struct control *self, uint32_t index);

int control_start(struct control *self, const struct control_ports *ports);
const struct heart *control_heart(const struct control *self);

/* LETTER_QUESTION goes in here: what is asked as on the socket, by others in the daemon. It comes back as LETTER_ANSWER to
 * its reply_to, always. */
struct inbox *control_inbox(struct control *self);

/* Ends the thread; questions that are under way get no answer. */
void control_stop(struct control *self);

/* After everybody who may still answer has ended. */
void control_destroy(struct control **self_p);

#endif
