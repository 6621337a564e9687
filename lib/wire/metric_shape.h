/* metric_shape.h - what the events of a sender look like, so that the next one is read by its values alone.
 *
 * A serving node sends the same names in the same order again and again, written by the same library. A shape is such
 * an event without its values: the bytes before each of them, from where the value before ends. An event that has these
 * very bytes has the same members, none twice and none unknown; what is left to read and to check are the values. A
 * byte that differs, a null, a value of another kind: the event is none of this shape, nothing of it counts, and it is
 * read the way that metric_fast.h describes. A shape that is met a second time that way is learnt.
 *
 * Shapes stand in SHAPE_SLOTS places by a hash of what they hold; a new one takes the place of an old one, and who
 * chooses names so that they meet makes his own messages as slow as they were. Each remembers which one followed it:
 * rows of a batch.
 *
 * Cost, JSON: about 20 instructions for up to 16 bytes before a value, 35 for a number of up to 7 characters that is as
 * long as the one before, 70 for another, 200 for one of 17 digits, 60 for a short text or integer, and 15 to note a
 * metric. One that does not fit costs what was compared of it.
 *
 * Threads: as metric_decoder.h says. Memory: taken when a shape is learnt, some 1.5 KB of 8 members; freed by
 * shapes_free(). Failure: without memory nothing is learnt.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_SHAPE_H
#define DRIFT_LIB_WIRE_METRIC_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/siphash.h"
#include "lib/text.h"

#define SHAPE_SLOTS 64
#define SHAPE_PATIENCE 32
#define SHAPE_MEMBERS_MAX 64
#define SHAPE_BYTES_MAX 255 /* before one value */

enum shape_value { SHAPE_NUMBER, SHAPE_INTEGER, SHAPE_TEXT, SHAPE_END };

/* How a metric's number was written in JSON when it was so twice, of up to seven bytes: digits, a point, digits. One
 * that is written so again is read without a search for point and end. Words of eight bytes, the first of them lowest.
 */
struct shape_number {
    uint64_t zeros;     /* makes digits 0 to 9 and the point 0; */
    uint64_t over;      /* added to that, sets the high bit of what is more */
    uint64_t look, end; /* the high bits to look at; and the one that is set: behind the number. 1: none is known */
    uint64_t whole;     /* the bytes before the point */
    double tens;        /* by the digits behind it */
    uint8_t len, up;    /* bytes; and bits that bring its last digit to the end of the word */
    uint8_t other;      /* how one was written that was not so */
    uint8_t least;      /* that its first digit is: more than one before the point do not begin with 0 */
};

/* What stands before a value, and what the value is. Of the last there is none: what stands before the end. */
struct shape_member {
    uint64_t word[2], mask[2]; /* the first 16 bytes, and ones where there are any */
    size_t name_len;
    uint64_t key;          /* of the name; both as struct metric has them */
    double least, most;    /* of a metric, the range */
    uint32_t at;           /* all bytes, in `bytes` of the shape */
    uint8_t len, name_at;  /* bytes; where the name begins among them */
    uint8_t member, value; /* enum member, enum shape_value */
    bool metric;           /* it is one, and a number */
    struct shape_number number;
};

struct shape {
    uint64_t hash, carried; /* of what it holds; a bit for each enum member */
    uint64_t metrics;       /* struct metric_event.shape */
    uint32_t count;         /* with the last, which has no value */
    uint32_t metric_count;
    uint16_t reach; /* what shape_here() may read of any member, and nine bytes of its value */
    uint16_t next;  /* the place of the shape that followed it, from 1 */
    const unsigned char *bytes;
    struct shape_member at[];
};

/* All zero: none is known. */
struct shapes {
    struct shape *at[SHAPE_SLOTS];
    uint64_t seen_once[SHAPE_SLOTS]; /* hashes that are learnt when they come again */
    uint32_t patience;               /* events that did not fit since a shape was learnt */
    uint16_t last;                   /* the place of the one that the last message began with, from 1 */
};

/* The shape at a place, from 1; 0, or nothing is there: NULL. */
static inline struct shape *shape_at(const struct shapes *self, uint16_t place)
{
    return place ? self->at[place - 1] : NULL;
}

/* An event that was found good, from its first byte on, was not of the shape `tried` (NULL: none was). `hash` stands
 * for its names. Returns the place of its shape, which may have been learnt just now; 0: it has none yet. */
uint16_t shape_learn(struct shapes *self, const struct siphash_key *secret, bool json, const unsigned char *at,
                     const unsigned char *end, uint64_t hash, const struct shape *tried);

void shapes_free(struct shapes *self);

/* Whether fewer bytes than `reach` are left. */
static inline bool shape_ends(const struct shape *self, const unsigned char *at, const unsigned char *end)
{
    return __builtin_expect(end - at < self->reach, 0);
}

/* Of more than 16 bytes, whether those behind them are the same. */
static inline bool shape_rest(const unsigned char *a, const unsigned char *b, size_t len)
{
    return memcmp(a + len - 8, b + len - 8, 8) == 0 && (len <= 24 || memcmp(a + 16, b + 16, len - 24) == 0);
}

/* Whether the bytes from `at` on are those before a value. */
static inline bool shape_here(const struct shape *self, const struct shape_member *member, const unsigned char *at,
                              const unsigned char *end)
{
    const size_t len = member->len;
    if (shape_ends(self, at, end)) {
        const size_t left = (size_t)(end - at);
        if (left < 16 || left < len)
            return left >= len && text_same_few(at, self->bytes + member->at, len);
    }
    uint64_t word[2];
    memcpy(word, at, sizeof word);
    if (((word[0] ^ member->word[0]) & member->mask[0]) | ((word[1] ^ member->word[1]) & member->mask[1]))
        return false;
    return len <= 16 || shape_rest(at, self->bytes + member->at, len);
}

#endif
