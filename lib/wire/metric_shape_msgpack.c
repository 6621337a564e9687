#include <endian.h>
#include <math.h>

#include "lib/wire/metric_fast.h"

static const unsigned char *other_value(struct metric_decoder *self, struct fast_event *out,
                                        const struct shape_member *member, const unsigned char *at,
                                        const unsigned char *end)
{
    const enum member kind = (enum member)member->member;
    if (member->value == SHAPE_TEXT) {
        struct text text;
        const unsigned char *after = fast_msgpack_text(at, end, &text);
        return after && fast_text(self, out, kind, text) ? after : NULL;
    }
    struct fast_number number;
    const unsigned char *after = fast_msgpack_number(at, end, &number);
    if (!after)
        return NULL;
    if (kind == MEMBER_TIMESTAMP)
        return fast_time(out, number.value) ? after : NULL;
    return number.is_whole && fast_msgpack_integer(self, out, kind, number.whole) ? after : NULL;
}

/* A double is the usual case. */
static inline const unsigned char *take_number(const unsigned char *at, const unsigned char *end, double *out)
{
    if (end - at >= 9 && *at == 0xcb) {
        uint64_t bits;
        memcpy(&bits, at + 1, sizeof bits);
        bits = be64toh(bits);
        memcpy(out, &bits, sizeof bits);
        return isfinite(*out) ? at + 9 : NULL;
    }
    struct fast_number number;
    at = fast_msgpack_number(at, end, &number);
    *out = number.value;
    return at;
}

const unsigned char *shape_msgpack(struct metric_decoder *self, const struct shape *shape, const unsigned char *at,
                                   const unsigned char *end, struct fast_event *out)
{
    struct metric *metric = out->metrics;
    for (const struct shape_member *member = shape->at;; member++) {
        double number;
        if (!shape_here(shape, member, at, end))
            return NULL;
        const char *name = (const char *)at + member->name_at;
        at += member->len;
        if (!member->metric) {
            if (member->value == SHAPE_END)
                break;
            at = other_value(self, out, member, at, end);
            if (!at)
                return NULL;
            continue;
        }
        at = take_number(at, end, &number);
        if (!at || !(number >= member->least && number <= member->most))
            return NULL;
        fast_put(metric++, (struct text){name, member->name_len}, member->key, number);
    }
    out->event->metric_count = shape->metric_count;
    out->event->shape = shape->metrics;
    out->carried = shape->carried;
    return at;
}
