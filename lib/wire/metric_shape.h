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
 * rows of a batch. How the bytes are compared, and what is remembered of the values: metric_layout.h.
 *
 * Threads: as metric_decoder.h says. Memory: taken when a shape is learnt, some 4 KB of 8 members; freed by
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

/* How a value is written. JSON: spaces, a minus, digits, a point with digits behind it. MessagePack: a head and the
 * bytes behind it. */
struct shape_form {
    uint8_t spaces;
    uint8_t head;   /* JSON: '-' or none. 0: none */
    uint8_t whole;  /* digits or bytes; 0: it is written otherwise, or in another way each time */
    uint8_t behind; /* bytes: the point and the digits behind it */
};

/* What stands before a value, and what the value is. Of the last there is none: what stands before the end. */
struct shape_member {
    size_t name_len;
    uint64_t key;          /* of the name; both as struct metric has them */
    double least, most;    /* of a metric, the range */
    uint32_t at;           /* all bytes before the value, in `bytes` of the shape */
    uint8_t len, name_at;  /* bytes; where the name begins among them */
    uint8_t member, value; /* enum member, enum shape_value */
    bool metric;           /* it is one, and a number */
    uint16_t number;       /* of a metric: bytes from the first of the event's to it */
    /* metric_layout.h */
    bool wide;                    /* it has more than eight digits */
    uint8_t width;                /* of the value as laid out, bytes; 0: it is read by itself */
    uint16_t laid, behind, end;   /* where those bytes begin in the layout and where they end; and where the value ends */
    uint16_t stop;                /* the next member, from this one on, whose value is read by itself */
    struct shape_form form;       /* as laid out; */
    struct shape_form other;      /* how it was written otherwise, */
    uint8_t times;                /* so often in a row */
    uint8_t misses;               /* MISS for each event that was not as laid out, and one less for every event since */
    bool lengthy;                 /* JSON: a number of more digits than are laid out */
    uint32_t missed, look;        /* the last of those events; events before this one are not looked at */
    uint64_t digits[2], point[2]; /* which bytes are digits: the last eight, and the eight before; those before a point,
                                     in the bytes one place earlier */
    double tens;                  /* JSON: by the digits behind the point, negative behind a minus */
};

struct shape {
    uint64_t hash, carried; /* of what it holds; a bit for each enum member */
    uint64_t metrics;       /* struct metric_event.shape */
    uint32_t count;         /* with the last, which has no value */
    uint32_t metric_count;
    uint32_t met;    /* events that were tried by it */
    uint32_t serial; /* no other has it */
    uint32_t made;   /* `met` as it was laid out */
    uint16_t next;   /* the place of the shape that followed it, from 1 */
    bool json;
    bool changed; /* a form: it is to be laid out anew */
    const unsigned char *bytes;
    unsigned char *least, *most; /* metric_layout.h, as all that follows */
    struct layout_pair *pairs;
    struct layout_run *runs;
    struct layout_extra *extras; /* those that are in no pair */
    struct shape *retired; /* the one that gave way before */
    struct shape_member at[];
};

/* All zero: none is known. */
struct shapes {
    struct shape *at[SHAPE_SLOTS];
    uint64_t seen_once[SHAPE_SLOTS]; /* hashes that are learnt when they come again */
    uint32_t patience;               /* events that did not fit since a shape was learnt */
    uint32_t serial;                 /* of the last that was learnt */
    struct shape *retired;           /* those that gave way, whose names may still be looked at */
    uint16_t last;                   /* the place of the one that the last message began with, from 1 */
};

/* The shape at a place, from 1; 0, or nothing is there: NULL. */
static inline struct shape *shape_at(const struct shapes *self, uint16_t place)
{
    return place ? self->at[place - 1] : NULL;
}

/* Frees those that gave way. */
void shapes_forget(struct shapes *self);

/* An event that was found good, from its first byte on, was not of the shape `tried` (NULL: none was). `hash` stands
 * for its names. Returns the place of its shape, which may have been learnt just now; 0: it has none yet. */
uint16_t shape_learn(struct shapes *self, const struct siphash_key *secret, bool json, const unsigned char *at,
                     const unsigned char *end, uint64_t hash, const struct shape *tried);

void shapes_free(struct shapes *self);

#endif
