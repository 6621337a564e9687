#include "daemon/control/asker.h"

#include <stdlib.h>
#include <string.h>

/* Without memory `text` is NULL, and so is the answer. */
static void reply_by_letter(struct question *question, char *text)
{
    question->answer = text;
    struct letter letter = {.kind = LETTER_ANSWER, .body = question, .drop = question_drop};
    if (inbox_put(question->reply_to, letter) < 0)
        question_drop(question);
}

static const char no_memory[] = "{\"ok\":false,\"error\":\"no_memory\",\"message\":\"there is no memory to answer\"}";

void asker_reply(struct asker *self, const struct asker_socket *socket, char *text)
{
    zmq_msg_t body;
    if (self->question) {
        reply_by_letter(self->question, text);
        self->question = NULL;
        return;
    }
    if ((!text || outgoing_message(socket->outgoing, &body, text, strlen(text)) < 0) &&
        zmq_msg_init_data(&body, (void *)(uintptr_t)no_memory, sizeof no_memory - 1, NULL, NULL) < 0)
        envelope_clear(&self->envelope);
    else
        envelope_reply(socket->handle, &self->envelope, &body);
}

void asker_reply_json(struct asker *self, const struct asker_socket *socket, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    asker_reply(self, socket, text);
}
