/* map.h - finds things by name: a hash table of links that lie inside the things.
 *
 * Threads: one owner. Memory: things and their names are the caller's; a name must not change while its link is inside.
 * The table grows when it can; when it cannot, it gets slower. Failure: map_init() only.
 */
#ifndef DRIFT_LIB_RETRAIN_MAP_H
#define DRIFT_LIB_RETRAIN_MAP_H

#include "lib/siphash.h"
#include "lib/text.h"

struct map_link {
    struct map_link *next;
    uint64_t hash;
    struct text name;
};

struct map {
    struct siphash_key key;
    struct map_link **slots;
    size_t mask, count;
};

/* Names come from the network: `key` is random. Returns 0 or -ENOMEM. */
int map_init(struct map *self, const struct siphash_key *key);

/* Puts a link inside; two of one name may be, the later one is found. */
void map_put(struct map *self, struct map_link *link, struct text name);

struct map_link *map_get(const struct map *self, struct text name);

/* The link must be inside. */
void map_remove(struct map *self, struct map_link *link);

/* Takes every link out and hands it to `take`. */
void map_drain(struct map *self, void (*take)(void *argument, struct map_link *link), void *argument);

void map_free(struct map *self);

/* The thing that a link lies in. */
#define MAP_THING(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

#endif
