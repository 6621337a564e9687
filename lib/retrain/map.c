#include "lib/retrain/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SLOTS_FIRST 64

int map_init(struct map *self, const struct siphash_key *key)
{
    *self = (struct map){.key = *key};
    self->slots = calloc(SLOTS_FIRST, sizeof(struct map_link *));
    if (!self->slots)
        return -ENOMEM;
    self->mask = SLOTS_FIRST - 1;
    return 0;
}

static void grow(struct map *self)
{
    size_t slots = (self->mask + 1) * 2;
    struct map_link **wider = calloc(slots, sizeof(struct map_link *));
    if (!wider)
        return;
    for (size_t i = 0; i <= self->mask; i++) {
        /* Taken from the front and put behind, so that of one name the later stays in front. */
        for (struct map_link *link = self->slots[i]; link;) {
            struct map_link *next = link->next;
            struct map_link **end = &wider[link->hash & (slots - 1)];
            while (*end)
                end = &(*end)->next;
            link->next = NULL;
            *end = link;
            link = next;
        }
    }
    free(self->slots);
    self->slots = wider;
    self->mask = slots - 1;
}

void map_put(struct map *self, struct map_link *link, struct text name)
{
    if (self->count > self->mask)
        grow(self);
    link->name = name;
    link->hash = siphash13(&self->key, name.at, name.len);
    struct map_link **slot = &self->slots[link->hash & self->mask];
    link->next = *slot;
    *slot = link;
    self->count++;
}

struct map_link *map_get(const struct map *self, struct text name)
{
    uint64_t hash = siphash13(&self->key, name.at, name.len);
    struct map_link *link = self->slots[hash & self->mask];
    while (link && (link->hash != hash || !text_equal(link->name, name)))
        link = link->next;
    return link;
}

void map_remove(struct map *self, struct map_link *link)
{
    struct map_link **at = &self->slots[link->hash & self->mask];
    while (*at && *at != link)
        at = &(*at)->next;
    assert(*at == link);
    *at = link->next;
    link->next = NULL;
    self->count--;
}

void map_drain(struct map *self, void (*take)(void *, struct map_link *), void *argument)
{
    for (size_t i = 0; self->slots && i <= self->mask; i++) {
        for (struct map_link *link; (link = self->slots[i]);) {
            map_remove(self, link);
            take(argument, link);
        }
    }
}

void map_free(struct map *self)
{
    free(self->slots);
    *self = (struct map){.slots = NULL};
}
