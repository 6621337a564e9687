#include "lib/config/scalar.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#define NUMBER_BYTES_MAX 511

struct unit {
    const char *name;
    uint64_t factor;
};

static bool digit(struct text text, size_t at)
{
    return at < text.len && text.at[at] >= '0' && text.at[at] <= '9';
}

static size_t skip_digits(struct text text, size_t at)
{
    while (digit(text, at))
        at++;
    return at;
}

static bool is_sign(struct text text, size_t at)
{
    return at < text.len && (text.at[at] == '-' || text.at[at] == '+');
}

int scalar_whole(struct text text, uint64_t *magnitude_p, bool *negative_p)
{
    size_t from = is_sign(text, 0) ? 1 : 0, end = skip_digits(text, from);
    if (end == from || end != text.len || (text.at[from] == '0' && end - from > 1))
        return -EINVAL;
    uint64_t magnitude = 0;
    for (size_t at = from; at < end; at++) {
        uint64_t next = (uint64_t)(text.at[at] - '0');
        if (magnitude > (UINT64_MAX - next) / 10)
            return -ERANGE;
        magnitude = magnitude * 10 + next;
    }
    *magnitude_p = magnitude;
    *negative_p = from > 0 && text.at[0] == '-' && magnitude > 0;
    return 0;
}

/* The form of YAML's core schema: [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool number_form(struct text text)
{
    size_t at = is_sign(text, 0) ? 1 : 0, whole = skip_digits(text, at);
    bool some = whole > at;
    at = whole;
    if (at < text.len && text.at[at] == '.') {
        size_t fraction = skip_digits(text, at + 1);
        some |= fraction > at + 1;
        at = fraction;
    }
    if (some && at < text.len && (text.at[at] == 'e' || text.at[at] == 'E')) {
        size_t exponent = is_sign(text, at + 1) ? at + 2 : at + 1;
        at = skip_digits(text, exponent);
        some = at > exponent;
    }
    return some && at == text.len;
}

int scalar_number(struct text text, double *out)
{
    char copy[NUMBER_BYTES_MAX + 1];
    if (text.len > NUMBER_BYTES_MAX || !number_form(text))
        return -EINVAL;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    /* The host program may have set a locale whose decimal point is a comma. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return -EINVAL;
    errno = 0;
    double value = strtod_l(copy, NULL, plain);
    int error = errno;
    freelocale(plain);
    if (error == ERANGE || !isfinite(value))
        return -ERANGE;
    *out = value;
    return 0;
}

/* Digits, perhaps with a fraction, and one of `units`. -EDOM: no unit stands behind it. */
static int amount(struct text text, const struct unit *units, uint64_t *out)
{
    size_t whole = skip_digits(text, 0), end = whole;
    if (whole == 0)
        return -EINVAL;
    if (end < text.len && text.at[end] == '.')
        end = skip_digits(text, end + 1);
    if (end == whole + 1)
        return -EINVAL;
    if (end == text.len)
        return -EDOM;
    const struct unit *unit = units;
    struct text name = {.at = text.at + end, .len = text.len - end};
    while (unit->name && !text_is(name, unit->name))
        unit++;
    if (!unit->name)
        return -EINVAL;
    uint64_t digits = 0, parts = 1;
    for (size_t at = 0; at < end; at++) {
        if (at == whole)
            continue;
        if (digits > UINT64_MAX / 100 || parts > UINT64_MAX / 100)
            return -ERANGE;
        digits = digits * 10 + (uint64_t)(text.at[at] - '0');
        parts *= at > whole ? 10 : 1;
    }
    __extension__ unsigned __int128 product = (unsigned __int128)digits * unit->factor;
    if (product % parts != 0 || product / parts > INT64_MAX)
        return -ERANGE;
    *out = (uint64_t)(product / parts);
    return 0;
}

int scalar_duration(struct text text, int64_t *ns_p)
{
    static const struct unit units[] = {
        {"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000},
        {"ms", 1000000},       {"us", 1000},         {NULL, 0},
    };
    uint64_t ns = 0;
    int error = amount(text, units, &ns);
    if (error == 0)
        *ns_p = (int64_t)ns;
    return error;
}

int scalar_size(struct text text, uint64_t *bytes_p)
{
    static const struct unit units[] = {
        {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0},
    };
    return amount(text, units, bytes_p);
}

bool scalar_is_off(struct text text)
{
    static const char *const words[] = {"off", "Off", "OFF", "no", "No", "NO", "false", "False", "FALSE"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_is(text, words[i]))
            return true;
    return false;
}
