#include "daemon/control/asker.h"

#include <stdlib.h>

/* Without memory `text` is NULL, and so is the answer. */
static void reply_by_letter(struct question *question, char *text)
{
    question->answer = text;
    struct letter letter = {.kind = LETTER_ANSWER, .body = question, .drop = question_drop};
    if (inbox_put(question->reply_to, letter) < 0)
        question_drop(question);
}

void asker_reply(struct asker *self, void *handle, char *text)
{
    if (self->question) {
        reply_by_letter(self->question, text);
        self->question = NULL;
        return;
    }
    envelope_reply(handle, &self->envelope,
                   text ? text : "{\"ok\":false,\"error\":\"no_memory\",\"message\":\"there is no memory to answer\"}");
    free(text);
}

void asker_reply_json(struct asker *self, void *handle, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    asker_reply(self, handle, text);
}
