/* metric_layout.h - an event of a shape as the last ones were written, byte by byte.
 *
 * Most programs write a value as they wrote the one before: as many digits before the point and behind it, the same
 * head in MessagePack. Then every byte of an event stands where it stood in the one before. The layout of a shape says
 * of each what it may be, the byte of a name, a digit, or any, and sixteen are compared at a time; the values are then
 * where they were, and good. A value that is written in another way each time, and every text, is not laid out but read
 * by itself: the layout ends before it and goes on behind it, in runs. One that is laid out and differs is read by
 * itself as well, and what follows is compared from there on.
 *
 * A value that was written LAYOUT_TIMES times in a row alike, and otherwise than laid out, is laid out so from then on.
 * One that differs in more than one of six events is left out, and looked at again after LAYOUT_REST events.
 *
 * Cost: 7 instructions for 16 bytes and 20 for a run; JSON, 15 for a number of up to eight digits, 60 for one of sixteen.
 * One that differs costs 500. To lay out an event of 150 bytes anew takes 3,000, at most once in LAYOUT_TIMES events.
 *
 * Threads: as metric_decoder.h says. Memory: of the shape. Failure: none.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_LAYOUT_H
#define DRIFT_LIB_WIRE_METRIC_LAYOUT_H

#include "lib/wire/metric_shape.h"

#define LAYOUT_CHUNK 16 /* bytes that are compared at a time */
#define LAYOUT_TIMES 3
#define LAYOUT_REST 256
#define LAYOUT_DIGITS_MAX 16
#define LAYOUT_SPACES_MAX 15
#define LAYOUT_VALUE_MAX (LAYOUT_SPACES_MAX + 1 + LAYOUT_DIGITS_MAX + 1) /* bytes */

/* Bytes for each of `least` and `most` of a shape: a run begins at a chunk, and a chunk can be read from its last byte.
 */
static inline size_t layout_room(size_t bytes, size_t members)
{
    const size_t room = bytes + members * (LAYOUT_VALUE_MAX + LAYOUT_CHUNK) + LAYOUT_CHUNK;
    return room - room % LAYOUT_CHUNK;
}

/* Two metrics of a run, the second of which is the one behind the first, or the first again. */
struct layout_pair {
    uint64_t digits[2], point[2];
    double tens[2], least[2], most[2];
    uint16_t end[2]; /* from where the run begins */
    uint16_t metric; /* the first of the two: bytes from that of the event */
} __attribute__((aligned(LAYOUT_CHUNK)));

/* Another value of a run. */
struct layout_extra {
    const struct shape_member *member;
    uint32_t end; /* from where the run begins */
};

/* From a value that is read by itself, or the beginning, to the next. */
struct layout_run {
    const unsigned char *least, *most; /* what its bytes may be */
    ptrdiff_t len;                     /* bytes, without that value */
    struct shape_member *stop;         /* whose value that is */
    bool ends, text;                   /* it is the end of the event; it is a text */
    bool odd;                          /* so is the number of chunks before the last */
    bool laid;                         /* there are values in it: */
    const struct layout_pair *pair, *pair_end;
    const struct layout_extra *extra, *extra_end;
};

/* Lays the values out as their forms say. */
void layout_make(struct shape *shape);

/* The same before an event, where a form has changed, but not before each. */
void layout_renew(struct shape *shape);

/* A member that is read by itself was written so: sooner or later it is laid out so. */
void layout_look(struct shape *shape, struct shape_member *member, struct shape_form form);

/* One that is laid out differed. Returns whether it is to be looked at: it did so in the event before. */
bool layout_missed(struct shape *shape, struct shape_member *member);

static inline bool layout_looks(struct shape *shape, struct shape_member *member)
{
    return member->width ? layout_missed(shape, member) : (int32_t)(shape->met - member->look) >= 0;
}

typedef unsigned char layout_bytes __attribute__((vector_size(LAYOUT_CHUNK)));
typedef signed char layout_order __attribute__((vector_size(LAYOUT_CHUNK)));
typedef char layout_chars __attribute__((vector_size(LAYOUT_CHUNK)));

/* Ones where a byte is not what may stand there: what it is beyond `least` is compared with sign, so 128 is added. */
static inline layout_order layout_chunk(const unsigned char *least, const unsigned char *most, const unsigned char *at)
{
    layout_bytes byte, from;
    layout_order to;
    memcpy(&byte, at, sizeof byte);
    memcpy(&from, least, sizeof from);
    memcpy(&to, most, sizeof to);
    return (layout_order)(byte - from) > to;
}

static inline bool layout_none(layout_order differs)
{
#ifdef __SSE2__
    return __builtin_ia32_pmovmskb128((layout_chars)differs) == 0;
#endif
    uint64_t word[2];
    memcpy(word, &differs, sizeof word);
    return (word[0] | word[1]) == 0;
}

/* Whether a run of less than a chunk begins at `at`, where less than a chunk is left. */
bool layout_same_end(const struct layout_run *run, const unsigned char *at, ptrdiff_t left);

/* Whether a run begins at `at`. */
static inline bool layout_same(const struct layout_run *run, const unsigned char *at, const unsigned char *end)
{
    const unsigned char *least = __builtin_assume_aligned(run->least, LAYOUT_CHUNK);
    const unsigned char *most = __builtin_assume_aligned(run->most, LAYOUT_CHUNK);
    const ptrdiff_t len = run->len;
    if (len < LAYOUT_CHUNK) /* anything may stand behind a run */
        return end - at >= LAYOUT_CHUNK ? layout_none(layout_chunk(least, most, at))
                                        : layout_same_end(run, at, end - at);
    if (len > end - at)
        return false;
    const ptrdiff_t last = len - LAYOUT_CHUNK;
    layout_order differs = layout_chunk(least + last, most + last, at + last);
    ptrdiff_t i = 0;
    if (run->odd) {
        differs |= layout_chunk(least, most, at);
        i = LAYOUT_CHUNK;
    }
    for (; i < last; i += 2 * LAYOUT_CHUNK) {
        const ptrdiff_t k = i + LAYOUT_CHUNK;
        differs |= layout_chunk(least + i, most + i, at + i) | layout_chunk(least + k, most + k, at + k);
    }
    return layout_none(differs);
}

/* From the bytes before `member` on, which stand at `at`: the first member whose value has to be read by itself. NULL:
 * the event is not of this shape. */
struct shape_member *layout_stop(struct shape *shape, struct shape_member *member, const unsigned char *at,
                                 const unsigned char *end);

#endif
