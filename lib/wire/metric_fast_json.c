#include <math.h>

#include "lib/wire/json_number.h"
#include "lib/wire/json_string.h"
#include "lib/wire/metric_fast.h"

#define EXACT_MAX (UINT64_C(1) << 53)
#define DIGITS_MAX 18

/* A position in the payload. `end` is behind its last bracket: white space and digits end before it, so that a search
 * for their end needs no other bound. */
struct place {
    const unsigned char *at, *end;
};

static bool is_digit(unsigned char byte)
{
    return (unsigned char)(byte - '0') <= 9;
}

static inline void skip_space(struct place *place)
{
    while (*place->at <= ' ' && (*place->at == ' ' || *place->at == '\n' || *place->at == '\t' || *place->at == '\r'))
        place->at++;
}

/* Passes over digits and adds them to *number, which wraps when there are more than 19. */
static void take_digits(struct place *place, uint64_t *number)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint32_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    while (place->end - place->at >= 8) {
        uint64_t eight;
        memcpy(&eight, place->at, sizeof eight);
        /* Digits become 0 to 9; the lowest high bit shows the first byte that is none. */
        eight ^= UINT64_C(0x3030303030303030);
        uint64_t others = ((eight + UINT64_C(0x7676767676767676)) | eight) & UINT64_C(0x8080808080808080);
        unsigned count = others ? (unsigned)__builtin_ctzll(others) >> 3 : 8;
        if (count == 0)
            return;
        eight <<= 64 - 8 * count; /* as if zeros stood before it */
        eight = eight * 10 + (eight >> 8);
        eight = ((eight & UINT64_C(0xff000000ff)) * UINT64_C(0xf424000000064) +
                 (eight >> 16 & UINT64_C(0xff000000ff)) * UINT64_C(0x271000000001)) >>
                32;
        *number = *number * tens[count] + (uint32_t)eight;
        place->at += count;
        if (count < 8)
            return;
    }
#endif
    while (is_digit(*place->at))
        *number = *number * 10 + (uint64_t)(*place->at++ - '0');
}

/* Everything that is not a short decimal: where it ends, or NULL. */
static const unsigned char *any_number(struct place place, double *out)
{
    struct wire_value value;
    const unsigned char *after = json_number(place.at, place.end, &value);
    *out = value.number;
    return after && isfinite(value.number) ? after : NULL;
}

/* The mantissa and the power of ten are doubles, so that one operation rounds once (Clinger 1990). */
static bool take_number(struct place *place, double *out)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
    struct place here = *place;
    const bool negative = *here.at == '-';
    here.at += negative;
    const unsigned char *first = here.at;
    if (!is_digit(*here.at) || (*first == '0' && is_digit(first[1])))
        return false;
    uint64_t mantissa = *here.at++ - (uint64_t)'0';
    ptrdiff_t behind = 0;
    while (is_digit(*here.at))
        mantissa = mantissa * 10 + (uint64_t)(*here.at++ - '0');
    ptrdiff_t digits = here.at - first;
    if (*here.at == '.') {
        const unsigned char *point = ++here.at;
        take_digits(&here, &mantissa);
        behind = here.at - point;
        digits += behind;
        if (behind == 0)
            return false;
    }
    if (digits > DIGITS_MAX || mantissa > EXACT_MAX || (*here.at | 0x20) == 'e') {
        here.at = any_number(*place, out);
        place->at = here.at ? here.at : place->at;
        return here.at != NULL;
    }
    const double number = (double)mantissa / tens[behind];
    *out = negative ? -number : number;
    place->at = here.at;
    return true;
}

/* An integer without a sign, written as one. */
static bool take_integer(struct place *place, uint64_t *out, struct text *text)
{
    const unsigned char *first = place->at, *at = first;
    uint64_t number = 0;
    while (is_digit(*at))
        number = number * 10 + (uint64_t)(*at++ - '0');
    const ptrdiff_t digits = at - first;
    *out = number;
    *text = (struct text){.at = (const char *)first, .len = (size_t)digits};
    place->at = at;
    return digits >= 1 && digits <= DIGITS_MAX && (*first != '0' || digits == 1) && *at != '.' && (*at | 0x20) != 'e';
}

/* A string whose opening quote has been passed, of plain ASCII. */
static bool take_string(struct place *place, struct text *out)
{
    const unsigned char *end = json_plain_end(place->at, place->end);
    *out = (struct text){.at = (const char *)place->at, .len = (size_t)(end - place->at)};
    if (end == place->end || *end != '"')
        return false;
    place->at = end + 1;
    return true;
}

static bool take_null(struct place *place)
{
    if (place->end - place->at < 4 || memcmp(place->at, "null", 4) != 0)
        return false;
    place->at += 4;
    return true;
}

/* The name and the colon; `before`: the name that came before. */
static struct known_name *take_name(struct metric_decoder *self, struct place *place, struct known_name *before,
                                    struct text *text)
{
    struct known_names *known = &self->known;
    struct known_name *name = &known->at[before->next];
    if (*place->at != '"')
        return NULL;
    const unsigned char *first = place->at + 1;
    if (name->len && (size_t)(place->end - first) >= name->len + (size_t)2 && known_here(name, first, place->end) &&
        first[name->len] == '"') {
        *text = (struct text){.at = (const char *)first, .len = name->len};
        place->at = first + name->len + 1;
    } else {
        place->at++;
        if (!take_string(place, text))
            return NULL;
        name = known_find(known, &self->options.secret, *text);
        if (name == NULL)
            return NULL;
        before->next = (uint16_t)(name - known->at);
    }
    if (*place->at != ':') {
        skip_space(place);
        if (*place->at != ':')
            return NULL;
    }
    place->at++;
    if (name->stamp == known->stamp)
        return NULL;
    name->stamp = known->stamp;
    return name;
}

const unsigned char *fast_json_number(const unsigned char *at, const unsigned char *end, double *out)
{
    struct place place = {.at = at, .end = end};
    return take_number(&place, out) ? place.at : NULL;
}

static bool take_value(struct metric_decoder *self, struct fast_event *out, struct place *place,
                       const struct known_name *name, struct text text)
{
    double number;
    uint64_t whole;
    struct text written;
    const enum member member = (enum member)name->member;
    if (*place->at == 'n') /* as if the member were not there */
        return take_null(place);
    out->carried |= UINT64_C(1) << member;
    if (*place->at == '"') {
        place->at++;
        return take_string(place, &written) && fast_text(self, out, member, written);
    }
    switch (member) {
    case MEMBER_RATIO:
    case MEMBER_NOT_NEGATIVE:
    case MEMBER_METRIC:
    case MEMBER_TIMESTAMP:
        if (!take_number(place, &number))
            return false;
        return member == MEMBER_TIMESTAMP ? fast_time(out, number) : fast_metric(out, name, text, number);
    case MEMBER_SEQ:
    case MEMBER_BOOT:
    case MEMBER_N:
        return take_integer(place, &whole, &written) && fast_integer(out, member, whole, written);
    case MEMBER_NODE:
    case MEMBER_MODEL:
    case MEMBER_MISNAMED:
        break;
    }
    return false;
}

const unsigned char *fast_json(struct metric_decoder *self, struct fast_event *out)
{
    struct place place = {.at = self->reader.at, .end = self->reader.end};
    while (place.end > place.at && (place.end[-1] == '\n' || place.end[-1] == ' ' || place.end[-1] == '\r'))
        place.end--;
    if (place.end == place.at || (place.end[-1] != '}' && place.end[-1] != ']'))
        return NULL;
    struct known_name *name = &self->known.at[0];
    for (;;) {
        struct text text;
        skip_space(&place);
        name = take_name(self, &place, name, &text);
        if (name == NULL)
            return NULL;
        skip_space(&place);
        if (!take_value(self, out, &place, name, text))
            return NULL;
        skip_space(&place);
        if (*place.at != ',')
            return *place.at == '}' ? place.at + 1 : NULL;
        place.at++;
    }
}
