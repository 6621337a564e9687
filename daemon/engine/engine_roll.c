#include <stdlib.h>
#include <string.h>

#include "daemon/engine/inside.h"

/* Models come and go: when the names of those that have gone may be as many as those of the others, it begins anew. Whoever
 * is missing then has its settings worked out when a reload asks for them. */
void roll_add(struct roll *self, struct text model, uint32_t most)
{
    if (self->count / 2 > most)
        roll_clear(self);
    if (self->len + model.len + 1 > self->room) {
        size_t room = 2 * (self->len + model.len + 1) + 4096;
        char *at = realloc(self->at, room);
        if (!at) {
            self->lacks = true; /* its settings will be worked out when they are asked for */
            return;
        }
        self->at = at;
        self->room = room;
    }
    memcpy(self->at + self->len, model.at, model.len);
    self->at[self->len + model.len] = '\0';
    self->len += model.len + 1;
    self->count++;
}

void roll_clear(struct roll *self)
{
    free(self->at);
    *self = (struct roll){.at = NULL};
}
