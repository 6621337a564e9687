#include <endian.h>

#include "lib/wire/metric_fast.h"

/* The eight bytes at `at`, the first of them highest. */
static inline uint64_t eight_at(const unsigned char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    return be64toh(eight);
}

/* Any number but those that are tried first. */
static const unsigned char *other_number(const unsigned char *at, const unsigned char *end, double *out)
{
    struct fast_number number;
    at = fast_msgpack_number(at, end, &number);
    *out = number.value;
    return at;
}

static const unsigned char *other_integer(struct metric_decoder *self, struct fast_event *out, enum member member,
                                          const unsigned char *at, const unsigned char *end)
{
    struct fast_number number;
    at = fast_msgpack_number(at, end, &number);
    return at && number.is_whole && fast_msgpack_integer(self, out, member, number.whole) ? at : NULL;
}

static inline const unsigned char *other_value(struct metric_decoder *self, struct fast_event *out,
                                               const struct shape_member *member, const unsigned char *at,
                                               const unsigned char *end)
{
    const enum member kind = (enum member)member->member;
    if (member->value == SHAPE_TEXT) {
        struct text text;
        const unsigned char *after = fast_msgpack_text(at, end, &text);
        return after && fast_text(self, out, kind, text) ? after : NULL;
    }
    if (kind == MEMBER_TIMESTAMP) {
        double *time = &out->event->timestamp_s;
        const unsigned char *after = other_number(at, end, time);
        return after && fast_time(out, *time) ? after : NULL;
    }
    if (kind == MEMBER_SEQ && end - at >= 9 && *at == 0xcf) {
        out->seq = eight_at(at + 1);
        return at + 9;
    }
    return other_integer(self, out, kind, at, end);
}

/* A double is the usual case. */
static inline const unsigned char *take_number(const unsigned char *at, const unsigned char *end, double *out)
{
    if (end - at < 9 || *at != 0xcb)
        return other_number(at, end, out);
    const uint64_t bits = eight_at(at + 1);
    memcpy(out, &bits, sizeof bits);
    return at + 9;
}

const unsigned char *shape_msgpack(struct metric_decoder *self, const struct shape *shape, const unsigned char *at,
                                   const unsigned char *end, struct fast_event *out)
{
    struct metric *metric = out->metrics;
    for (const struct shape_member *member = shape->at;; member++) {
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
        at = take_number(at, end, &metric->number);
        if (!at || !(metric->number >= member->least && metric->number <= member->most))
            return NULL; /* infinities and NAN are in no range */
        fast_put(metric, (struct text){name, member->name_len}, member->key, metric->number);
        metric++;
    }
    out->event->metric_count = shape->metric_count;
    out->event->shape = shape->metrics;
    out->carried = shape->carried;
    return at;
}
