#include "lib/wire/metric_value.h"

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
    if (!at || !number.is_whole)
        return NULL;
    return (member == MEMBER_BOOT ? value_msgpack_boot(self, out, number.whole)
                                  : fast_msgpack_integer(self, out, member, number.whole))
               ? at
               : NULL;
}

const unsigned char *value_msgpack(struct metric_decoder *self, struct fast_event *out,
                                   const struct shape_member *member, const unsigned char *at, const unsigned char *end)
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
    return other_integer(self, out, kind, at, end);
}

const unsigned char *value_msgpack_metric(const struct shape_member *member, const unsigned char *at,
                                          const unsigned char *end, double *out)
{
    at = other_number(at, end, out);
    return *out >= member->least && *out <= member->most ? at : NULL;
}

struct shape_form value_msgpack_form(const struct shape_member *member, const unsigned char *at)
{
    const bool whole = member->value == SHAPE_INTEGER;
    if (*at == (whole ? 0xcf : 0xcb))
        return (struct shape_form){.head = *at, .whole = 8};
    return (struct shape_form){.whole = whole && *at <= 0x7f};
}
