#include "daemon/control/pending.h"

#include <stdlib.h>

#define SHARE_BYTES_MIN ((int64_t)256 << 10) /* of a list, that each shard may fill: its models may be the first */

bool pending_take_room(struct pending *self, struct outgoing *room, uint32_t shards)
{
    const struct command *command = self->command;
    int64_t bytes = command->bytes ? command->bytes(self->ask) : 0, share = bytes;
    if (bytes && (command->targets & ASK_SHARDS)) {
        share = bytes / shards;
        share = share < SHARE_BYTES_MIN ? SHARE_BYTES_MIN : share;
        bytes = share * shards;
    }
    if (bytes && !outgoing_take(room, bytes))
        return false;
    if (bytes)
        json_object_set_new(self->ask, "bytes", json_integer(share));
    self->room = room;
    self->bytes = bytes;
    return true;
}

json_t *pending_merge(const struct pending *self)
{
    json_t *answers[ANSWERS_MAX];
    for (uint32_t i = 0; i < self->answered; i++) {
        answers[i] = self->answers[i] ? json_loads(self->answers[i], 0, NULL) : NULL;
        if (!answers[i])
            answers[i] = command_refuse("no_memory", "there is no memory for the answer");
    }
    json_t *json = self->command->merge(self->ask, answers, self->answered);
    for (uint32_t i = 0; i < self->answered; i++)
        json_decref(answers[i]);
    return json;
}

void pending_clear(struct pending *self)
{
    for (uint32_t i = 0; i < self->answered; i++)
        free(self->answers[i]);
    json_decref(self->ask);
    if (self->bytes)
        outgoing_give(self->room, self->bytes);
    self->id = 0;
}
