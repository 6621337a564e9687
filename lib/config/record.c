#include "lib/config/record.h"

#include <errno.h>

static struct key_place *find(const struct record *self, const struct schema_row *row)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->places[i].row == row)
            return &self->places[i];
    return NULL;
}

const struct key_place *record_find(const struct record *self, const struct schema_row *row)
{
    return find(self, row);
}

const struct key_place *record_at(const struct record *self, const char *path)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (strcmp(self->places[i].row->path, path) == 0)
            return &self->places[i];
    return NULL;
}

int record_note(struct record *self, struct arena *memory, const struct key_place *place)
{
    struct key_place *noted = find(self, place->row);
    if (noted) {
        *noted = *place;
        return 0;
    }
    if (self->count == self->room) {
        uint32_t room = self->room ? 2 * self->room : 4;
        struct key_place *places = arena_take(memory, room, sizeof(*places));
        if (!places)
            return -ENOMEM;
        if (self->count > 0)
            memcpy(places, self->places, self->count * sizeof(*places));
        self->places = places;
        self->room = room;
    }
    self->places[self->count++] = *place;
    return 0;
}
