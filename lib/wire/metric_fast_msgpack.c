#include <endian.h>
#include <math.h>

#include "lib/wire/metric_fast.h"
#include "lib/wire/utf8.h"

struct place {
    const unsigned char *at, *end;
};

/* A number, as a double and, where it is one that is not negative, as an integer. */
struct number {
    double value;
    uint64_t whole;
    bool is_whole;
};

static uint64_t big_endian(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* Integers that are negative are left to the long way. */
static bool take_number(struct place *place, struct number *out)
{
    const unsigned char *at = place->at;
    const size_t left = (size_t)(place->end - at);
    if (left == 0)
        return false;
    if (*at == 0xCB && left >= 9) {
        uint64_t bits;
        memcpy(&bits, at + 1, sizeof bits);
        bits = be64toh(bits);
        memcpy(&out->value, &bits, sizeof bits);
        out->is_whole = false;
        place->at += 9;
        return isfinite(out->value);
    }
    if (*at == 0xCA && left >= 5) {
        uint32_t bits = (uint32_t)big_endian(at + 1, 4);
        float single;
        memcpy(&single, &bits, sizeof single);
        out->value = (double)single;
        out->is_whole = false;
        place->at += 5;
        return isfinite(out->value);
    }
    if (*at <= 0x7F) {
        out->whole = *at;
        place->at++;
    } else if (*at >= 0xCC && *at <= 0xCF && left > (1u << (*at - 0xCC))) {
        unsigned bytes = 1u << (*at - 0xCC);
        out->whole = big_endian(at + 1, bytes);
        place->at += 1 + bytes;
    } else {
        return false;
    }
    out->is_whole = true;
    out->value = (double)out->whole;
    return true;
}

/* Of up to 255 bytes; *at is a head of one. */
static bool take_text(struct place *place, struct text *out)
{
    const size_t left = (size_t)(place->end - place->at);
    size_t head = 1, bytes = *place->at & 0x1F;
    if (*place->at == 0xD9) {
        if (left < 2)
            return false;
        head = 2;
        bytes = place->at[1];
    }
    if (left < head + bytes)
        return false;
    *out = (struct text){.at = (const char *)place->at + head, .len = bytes};
    place->at += head + bytes;
    return utf8_valid(*out);
}

static bool is_text(unsigned char head)
{
    return (head >= 0xA0 && head <= 0xBF) || head == 0xD9;
}

static struct known_name *take_name(struct metric_decoder *self, struct place *place, struct known_name *before,
                                    struct text *text)
{
    struct known_names *known = &self->known;
    struct known_name *name = &known->at[before->next];
    if (place->at == place->end)
        return NULL;
    if (name->len && name->len < 32 && *place->at == (0xA0 | name->len) && known_here(name, place->at + 1, place->end)) {
        *text = (struct text){.at = (const char *)place->at + 1, .len = name->len};
        place->at += 1 + (size_t)name->len;
    } else {
        if (!is_text(*place->at) || !take_text(place, text))
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
    struct number number = {0};
    struct text written;
    const enum member member = (enum member)name->member;
    if (place->at == place->end)
        return false;
    if (*place->at == 0xC0) { /* nil: as if the member were not there */
        place->at++;
        return true;
    }
    out->carried |= UINT64_C(1) << member;
    if (is_text(*place->at))
        return take_text(place, &written) && fast_text(self, out, name, written);
    if (!take_number(place, &number))
        return false;
    switch (member) {
    case MEMBER_RATIO:
    case MEMBER_NOT_NEGATIVE:
    case MEMBER_METRIC:
        return fast_number(out, name, text, number.value);
    case MEMBER_SEQ:
        out->seq = number.whole;
        return number.is_whole;
    case MEMBER_N:
        out->event->n = number.whole;
        return number.is_whole && number.whole >= 1;
    case MEMBER_TIMESTAMP:
        return fast_time(out, number.value);
    case MEMBER_BOOT: {
        struct wire_value value = {.kind = WIRE_NUMBER, .whole = true, .magnitude = number.whole};
        char unused[RULE_BOOT_DIGITS]; /* a later event's: only looked at */
        return number.is_whole && rule_boot(&value, self->first_done ? unused : self->boot, &out->boot) == FINE;
    }
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
