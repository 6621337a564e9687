/* pending.h - a question that waits for its answers.
 *
 * Threads: the control station's. Memory: owns the question, the answers and the room that a list has; pending_clear()
 * frees them. Failure: as each function says.
 */
#ifndef DRIFTD_CONTROL_PENDING_H
#define DRIFTD_CONTROL_PENDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/control/asker.h"
#include "daemon/control/commands.h"
#include "daemon/control/control.h"

#define FROM_REQUESTS -1
#define FROM_CHECKPOINT -2
#define FROM_ENGINE -3
#define ANSWERS_MAX (CONTROL_SHARDS_MAX + 3)

/* A question that waits for its answers. */
struct pending {
    unsigned long long id; /* 0: free */
    struct asker asker;
    const struct command *command;
    json_t *ask;
    char *answers[ANSWERS_MAX]; /* as they came: read once all are there, they take seven times the bytes */
    int64_t bytes;              /* taken for a list, of `room` */
    struct outgoing *room;
    int from[ANSWERS_MAX];
    uint32_t asked, answered;
    int64_t until_ns;
};

/* Takes room of `room` for the answer, where it is a list, and tells those who make it how much each of them has.
 * False: there is none. */
bool pending_take_room(struct pending *self, struct outgoing *room, uint32_t shards);

/* The reply of the answers that there are. NULL: no memory. */
json_t *pending_merge(const struct pending *self);

/* Frees what it owns; its place is free then. */
void pending_clear(struct pending *self);

#endif
