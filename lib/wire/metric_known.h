/* metric_known.h - the names of members that a decoder has met, with what each is.
 *
 * Nodes say the same few names again and again, mostly in one order. So each name remembers which one followed it the
 * last time: then the next name is one comparison of words, and what it is, that it may be used, and whether the event
 * has it already (a stamp) is known without looking further.
 *
 * Cost: a guess that holds takes about ten instructions; one that fails, a keyed hash and a comparison.
 *
 * Threads: belongs to one thread. Memory: KNOWN_MAX names, 60 KB, all of it in the struct; when senders have shown more
 * names than that, all are forgotten and learnt anew, at most once in KNOWN_PATIENCE strangers. Failure: none; what is
 * not known is read the long way.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_KNOWN_H
#define DRIFT_LIB_WIRE_METRIC_KNOWN_H

#include <stdint.h>

#include "lib/siphash.h"
#include "lib/wire/metric_rules.h"

#define KNOWN_MAX 512
#define KNOWN_SLOTS 1024
#define KNOWN_PATIENCE 65536
#define KNOWN_WORDS (METRIC_NAME_MAX / 8)

struct known_name {
    uint64_t word[KNOWN_WORDS]; /* the name, with zeros behind */
    uint64_t mask;              /* of its last word */
    uint64_t key;               /* its keyed hash, never 0 */
    uint64_t stamp;             /* the last event that had it */
    uint16_t next;              /* the name that followed it */
    uint8_t len, last;          /* bytes; index of its last word */
    uint8_t member;             /* enum member, as where each event names its model */
};

/* All zero: none is known. at[0] is no name but what stands before the first one. */
struct known_names {
    struct known_name at[KNOWN_MAX];
    uint16_t slots[KNOWN_SLOTS]; /* index, or 0 */
    uint32_t count;              /* without at[0] */
    uint32_t strangers;          /* names that found no place */
    uint64_t stamp;
};

/* Whether the bytes from `at` on begin with the name. */
static inline bool known_here(const struct known_name *name, const unsigned char *at, const unsigned char *end)
{
    uint64_t word;
    if ((size_t)(end - at) < 8 * (size_t)name->last + 8)
        return (size_t)(end - at) >= name->len && memcmp(at, name->word, name->len) == 0;
    for (unsigned i = 0; i < name->last; i++, at += 8) {
        memcpy(&word, at, sizeof word);
        if (word != name->word[i])
            return false;
    }
    memcpy(&word, at, sizeof word);
    return ((word ^ name->word[name->last]) & name->mask) == 0;
}

/* The name, learnt where it is new and may be a member's; NULL: it may not, or there is no room. */
struct known_name *known_find(struct known_names *self, const struct siphash_key *secret, struct text name);

/* Between two messages: forgets all where too many strangers came. */
void known_refresh(struct known_names *self);

#endif
