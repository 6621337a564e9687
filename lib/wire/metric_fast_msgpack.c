#include <endian.h>
#include <math.h>

#include "lib/wire/metric_fast.h"
#include "lib/wire/utf8.h"

struct place {
    const unsigned char *at, *end;
};

static uint64_t big_endian(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* Integers that are negative are left to the long way. */
const unsigned char *fast_msgpack_number(const unsigned char *at, const unsigned char *end, struct fast_number *out)
{
    const size_t left = (size_t)(end - at);
    *out = (struct fast_number){.is_whole = false};
    if (left == 0)
        return NULL;
    if (*at == 0xCB && left >= 9) {
        uint64_t bits;
        memcpy(&bits, at + 1, sizeof bits);
        bits = be64toh(bits);
        memcpy(&out->value, &bits, sizeof bits);
        return isfinite(out->value) ? at + 9 : NULL;
    }
    if (*at == 0xCA && left >= 5) {
        uint32_t bits = (uint32_t)big_endian(at + 1, 4);
        float single;
        memcpy(&single, &bits, sizeof single);
        out->value = (double)single;
        return isfinite(out->value) ? at + 5 : NULL;
    }
    unsigned bytes = 0;
    if (*at >= 0xCC && *at <= 0xCF && left > (1u << (*at - 0xCC)))
        bytes = 1u << (*at - 0xCC);
    else if (*at > 0x7F)
        return NULL;
    out->whole = bytes ? big_endian(at + 1, bytes) : *at;
    out->is_whole = true;
    out->value = (double)out->whole;
    return at + 1 + bytes;
}

static bool is_text(unsigned char head)
{
    return (head >= 0xA0 && head <= 0xBF) || head == 0xD9;
}

/* Of up to 255 bytes. */
const unsigned char *fast_msgpack_text(const unsigned char *at, const unsigned char *end, struct text *out)
{
    const size_t left = (size_t)(end - at);
    if (left == 0 || !is_text(*at))
        return NULL;
    size_t head = 1, bytes = *at & 0x1F;
    if (*at == 0xD9) {
        if (left < 2)
            return NULL;
        head = 2;
        bytes = at[1];
    }
    if (left < head + bytes)
        return NULL;
    *out = (struct text){.at = (const char *)at + head, .len = bytes};
    return utf8_valid(*out) ? at + head + bytes : NULL;
}

bool fast_msgpack_integer(struct metric_decoder *self, struct fast_event *out, enum member member, uint64_t whole)
{
    struct text written = METRIC_NOT_SAID;
    if (member == MEMBER_BOOT && !self->first_done) /* a later event's is only looked at */
        written = rule_digits(whole, self->boot);
    return fast_integer(out, member, whole, written);
}

static struct known_name *take_name(struct metric_decoder *self, struct place *place, struct known_name *before,
                                    struct text *text)
{
    struct known_names *known = &self->known;
    struct known_name *name = &known->at[before->next];
    if (place->at == place->end)
        return NULL;
    if (name->len && name->len < 32 && *place->at == (0xA0 | name->len) &&
        known_here(name, place->at + 1, place->end)) {
        *text = (struct text){.at = (const char *)place->at + 1, .len = name->len};
        place->at += 1 + (size_t)name->len;
    } else {
        place->at = fast_msgpack_text(place->at, place->end, text);
        if (place->at == NULL)
            return NULL;
        name = known_find(known, &self->options.secret, *text);
        if (name == NULL)
            return NULL;
        before->next = (uint16_t)(name - known->at);
    }
    if (name->stamp == known->stamp)
        return NULL;
    name->stamp = known->stamp;
    return name;
}

static bool take_value(struct metric_decoder *self, struct fast_event *out, struct place *place,
                       const struct known_name *name, struct text text)
{
    struct fast_number number;
    struct text written;
    const enum member member = (enum member)name->member;
    if (place->at == place->end)
        return false;
    if (*place->at == 0xC0) { /* nil: as if the member were not there */
        place->at++;
        return true;
    }
    out->carried |= UINT64_C(1) << member;
    if (is_text(*place->at)) {
        place->at = fast_msgpack_text(place->at, place->end, &written);
        return place->at != NULL && fast_text(self, out, member, written);
    }
    place->at = fast_msgpack_number(place->at, place->end, &number);
    if (place->at == NULL)
        return false;
    switch (member) {
    case MEMBER_RATIO:
    case MEMBER_NOT_NEGATIVE:
    case MEMBER_METRIC:
        return fast_metric(out, name, text, number.value);
    case MEMBER_SEQ:
    case MEMBER_N:
    case MEMBER_BOOT:
        return number.is_whole && fast_msgpack_integer(self, out, member, number.whole);
    case MEMBER_TIMESTAMP:
        return fast_time(out, number.value);
    case MEMBER_NODE:
    case MEMBER_MODEL:
    case MEMBER_MISNAMED:
        break;
    }
    return false;
}

const unsigned char *fast_msgpack(struct metric_decoder *self, struct fast_event *out, uint32_t members)
{
    struct place place = {.at = self->reader.at, .end = self->reader.end};
    struct known_name *name = &self->known.at[0];
    for (; members > 0; members--) {
        struct text text;
        name = take_name(self, &place, name, &text);
        if (name == NULL || !take_value(self, out, &place, name, text))
            return NULL;
    }
    return place.at;
}
