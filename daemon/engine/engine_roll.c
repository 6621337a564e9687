#include <stdlib.h>
#include <string.h>

#include "daemon/engine/inside.h"

void roll_add(struct roll *self, struct text model)
{
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
}

void roll_clear(struct roll *self)
{
    free(self->at);
    *self = (struct roll){.at = NULL};
}
