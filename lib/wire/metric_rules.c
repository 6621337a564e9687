#include <assert.h>
#include <math.h>

#include "lib/wire/metric_rules.h"
#include "lib/wire/rfc3339.h"

#define TWO_TO_64 18446744073709551616.0
#define YEAR_0_S -62167219200.0
#define YEAR_10000_S 253402300800.0

static const struct {
    enum metric_drop reason;
    const char *words;
} mistakes[] = {
    [FINE] = {DROP_REASONS, ""},
    [MISTAKE_PAYLOAD_KIND] = {DROP_TYPE, "a payload must be an object or an array"},
    [MISTAKE_PAYLOAD_SIZE] = {DROP_TOO_LARGE, "a payload must be smaller than 2 GiB"},
    [MISTAKE_EVENT_KIND] = {DROP_TYPE, "an event must be an object"},
    [MISTAKE_MEMBER_NAME] = {DROP_TYPE, "the name of a member must be a string"},
    [MISTAKE_METRIC_NAME] = {DROP_RANGE, "the name of a metric must match [a-z][a-z0-9_.]{0,63}"},
    [MISTAKE_METRIC_KIND] =
        {DROP_TYPE, "it must be a number, {\"histogram\": ...} or {\"categories\": ...}; in a column a number"},
    [MISTAKE_NUMBER_KIND] = {DROP_TYPE, "it must be a number"},
    [MISTAKE_NOT_FINITE] = {DROP_NOT_FINITE, "it must be finite and fit a double"},
    [MISTAKE_RATIO] = {DROP_RANGE, "it must lie in [0, 1]"},
    [MISTAKE_NEGATIVE] = {DROP_RANGE, "it must not be negative"},
    [MISTAKE_METRIC_COUNT] = {DROP_TOO_LARGE, "an event may carry 256 metrics at most"},
    [MISTAKE_TIME_KIND] = {DROP_TYPE, "it must be seconds since the epoch or an RFC 3339 string"},
    [MISTAKE_TIME_TEXT] = {DROP_RANGE, "it must be a date and time as RFC 3339 writes them"},
    [MISTAKE_TIME_RANGE] = {DROP_RANGE, "it must lie in the years 0000 to 9999"},
    [MISTAKE_FUTURE] = {DROP_FUTURE, "it lies too far in the future"},
    [MISTAKE_INTEGER_KIND] = {DROP_TYPE, "it must be an integer"},
    [MISTAKE_INTEGER_RANGE] = {DROP_RANGE, "it must not be negative and must fit 64 bits"},
    [MISTAKE_COUNT_RANGE] = {DROP_RANGE, "it must be at least 1 and fit 64 bits"},
    [MISTAKE_STRING_KIND] = {DROP_TYPE, "it must be a string"},
    [MISTAKE_STRING_SIZE] = {DROP_RANGE, "it must have 128 bytes at most"},
    [MISTAKE_BOOT_KIND] = {DROP_TYPE, "it must be a string or an integer"},
    [MISTAKE_MODEL_KIND] = {DROP_TYPE, "an event on a batch/ topic must name its \"model\", a string"},
    [MISTAKE_MODEL_ID] = {DROP_TOPIC, "it must be project/name/version"},
    [MISTAKE_BINS_KIND] = {DROP_TYPE, "a histogram has \"edges\" and \"counts\", two arrays, and nothing else"},
    [MISTAKE_BINS_COUNT] = {DROP_TOO_LARGE, "a metric may have 4096 bins or categories at most"},
    [MISTAKE_BINS_FIT] = {DROP_RANGE, "a histogram has at least one count, and one edge more than counts"},
    [MISTAKE_EDGES] = {DROP_RANGE, "the edges of a histogram must rise"},
    [MISTAKE_COLUMNS_UNEVEN] = {DROP_TYPE, "the arrays of a columnar batch must have the same length"},
    [MISTAKE_COLUMNS_NONE] = {DROP_TYPE, "an array must hold a metric's numbers"},
    [MISTAKE_COLUMNS_EMPTY] = {DROP_TYPE, "metrics that are no arrays stand beside arrays that are empty"},
    [MISTAKE_COLUMNS_BINS] = {DROP_TYPE, "a histogram or categories cannot stand for every row of a columnar batch"},
    [MISTAKE_COLUMNS_SIZE] = {DROP_TOO_LARGE, "a columnar batch may not hold more metrics than its payload bytes"},
    [MISTAKE_TOPICS_KIND] = {DROP_TYPE, "it must be an object"},
    [MISTAKE_TOPICS_MISSING] = {DROP_TYPE, "a beacon must have \"topics\", an object"},
    [MISTAKE_TOPIC] = {DROP_TOPIC, "a beacon's topic must be project/name/version or \"batch\""},
};

enum metric_drop mistake_reason(enum mistake mistake)
{
    assert(mistake != FINE);
    return mistakes[mistake].reason;
}

const char *mistake_words(enum mistake mistake)
{
    return mistakes[mistake].words;
}

static bool is(struct text name, const char *known, size_t bytes)
{
    return memcmp(name.at, known, bytes) == 0;
}

#define IS(name, known) is(name, known, sizeof known - 1)

static bool may_name_metric(struct text name)
{
    if (name.len == 0 || name.len > METRIC_NAME_MAX || name.at[0] < 'a' || name.at[0] > 'z') {
        return false;
    }
    for (size_t i = 1; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.')) {
            return false;
        }
    }
    return true;
}

enum member member_of(struct text name, bool with_model)
{
    switch (name.len) {
    case 1:
        if (IS(name, "n")) {
            return MEMBER_N;
        }
        break;
    case 3:
        if (IS(name, "seq")) {
            return MEMBER_SEQ;
        }
        break;
    case 4:
        if (IS(name, "node") || IS(name, "boot")) {
            return name.at[0] == 'n' ? MEMBER_NODE : MEMBER_BOOT;
        }
        break;
    case 5:
        if (with_model && IS(name, "model")) {
            return MEMBER_MODEL;
        }
        break;
    case 6:
        if (IS(name, "recall")) {
            return MEMBER_RATIO;
        }
        break;
    case 8:
        if (IS(name, "accuracy")) {
            return MEMBER_RATIO;
        }
        break;
    case 9:
        if (IS(name, "timestamp") || IS(name, "precision")) {
            return name.at[0] == 't' ? MEMBER_TIMESTAMP : MEMBER_RATIO;
        }
        break;
    case 10:
        if (IS(name, "latency_ms")) {
            return MEMBER_NOT_NEGATIVE;
        }
        break;
    case 13:
        if (IS(name, "processed_fps")) {
            return MEMBER_NOT_NEGATIVE;
        }
        break;
    default:
        break;
    }
    return may_name_metric(name) ? MEMBER_METRIC : MEMBER_MISNAMED;
}

enum mistake rule_finite(const struct wire_value *value, double *out)
{
    if (value->kind != WIRE_NUMBER) {
        return MISTAKE_NUMBER_KIND;
    }
    if (!isfinite(value->number)) {
        return MISTAKE_NOT_FINITE;
    }
    *out = value->number;
    return FINE;
}

enum mistake rule_number(enum member member, const struct wire_value *value, double *out)
{
    double number = 0;
    enum mistake mistake = rule_finite(value, &number);
    if (mistake != FINE) {
        return mistake == MISTAKE_NUMBER_KIND && member == MEMBER_METRIC ? MISTAKE_METRIC_KIND : mistake;
    }
    if (member == MEMBER_RATIO && !(number >= 0 && number <= 1)) {
        return MISTAKE_RATIO;
    }
    if (member == MEMBER_NOT_NEGATIVE && number < 0) {
        return MISTAKE_NEGATIVE;
    }
    *out = number;
    return FINE;
}

enum mistake rule_time(const struct wire_value *value, double latest_s, double *out)
{
    double seconds = 0;
    if (value->kind == WIRE_STRING) {
        if (rfc3339_parse(value->text, &seconds) != 0) {
            return MISTAKE_TIME_TEXT;
        }
    } else if (value->kind == WIRE_NUMBER || value->kind == WIRE_TIME) {
        seconds = value->number;
    } else {
        return MISTAKE_TIME_KIND;
    }
    if (value->kind == WIRE_NUMBER && !isfinite(seconds)) {
        return MISTAKE_NOT_FINITE;
    }
    if (seconds > latest_s) {
        return MISTAKE_FUTURE;
    }
    if (!(seconds >= YEAR_0_S && seconds < YEAR_10000_S)) {
        return MISTAKE_TIME_RANGE;
    }
    *out = seconds;
    return FINE;
}

/* A number without a fraction that 64 bits and a sign hold. */
static enum mistake integer_of(const struct wire_value *value, bool *negative, uint64_t *magnitude)
{
    if (value->kind != WIRE_NUMBER) {
        return MISTAKE_INTEGER_KIND;
    }
    if (value->whole) {
        *negative = value->negative && value->magnitude != 0;
        *magnitude = value->magnitude;
        return FINE;
    }
    double size = fabs(value->number);
    if (!isfinite(size)) {
        return MISTAKE_NOT_FINITE;
    }
    if (floor(size) != size) {
        return MISTAKE_INTEGER_KIND;
    }
    if (size >= TWO_TO_64) {
        return MISTAKE_INTEGER_RANGE;
    }
    *negative = value->number < 0;
    *magnitude = (uint64_t)size;
    return FINE;
}

enum mistake rule_integer(const struct wire_value *value, uint64_t *out)
{
    bool negative = false;
    uint64_t magnitude = 0;
    enum mistake mistake = integer_of(value, &negative, &magnitude);
    if (mistake != FINE) {
        return mistake;
    }
    if (negative) {
        return MISTAKE_INTEGER_RANGE;
    }
    *out = magnitude;
    return FINE;
}

enum mistake rule_count(const struct wire_value *value, uint64_t *out)
{
    uint64_t count = 0;
    enum mistake mistake = rule_integer(value, &count);
    if (mistake == MISTAKE_INTEGER_RANGE || (mistake == FINE && count == 0)) {
        return MISTAKE_COUNT_RANGE;
    }
    if (mistake == FINE) {
        *out = count;
    }
    return mistake;
}

enum mistake rule_node(const struct wire_value *value, struct text *out)
{
    if (value->kind != WIRE_STRING) {
        return MISTAKE_STRING_KIND;
    }
    if (value->text.len > METRIC_NODE_MAX) {
        return MISTAKE_STRING_SIZE;
    }
    *out = value->text;
    return FINE;
}

/* By hand: once a message, and printf takes as long as all the rest of it. */
struct text rule_digits(uint64_t number, char digits[RULE_BOOT_DIGITS])
{
    char *at = digits + RULE_BOOT_DIGITS;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return (struct text){.at = at, .len = (size_t)(digits + RULE_BOOT_DIGITS - at)};
}

enum mistake rule_boot(const struct wire_value *value, char digits[RULE_BOOT_DIGITS], struct text *out)
{
    bool negative = false;
    uint64_t magnitude = 0;
    if (value->kind == WIRE_STRING) {
        return rule_node(value, out);
    }
    enum mistake mistake = integer_of(value, &negative, &magnitude);
    if (mistake != FINE) {
        return mistake == MISTAKE_INTEGER_KIND ? MISTAKE_BOOT_KIND : mistake;
    }
    *out = rule_digits(magnitude, digits);
    if (negative) {
        char *sign = digits + RULE_BOOT_DIGITS - out->len - 1;
        *sign = '-';
        *out = (struct text){.at = sign, .len = out->len + 1};
    }
    return FINE;
}
