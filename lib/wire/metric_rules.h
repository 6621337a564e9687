/* metric_rules.h - what the members of a metric event may hold: the rules of docs/protocol.md, for both formats.
 *
 * A member of the wrong kind is a mistake of `type`; one of the right kind whose value is not allowed, of `range`.
 *
 * Threads: pure functions. Memory: outputs borrow from the value. Failure: the mistake; outputs are then untouched.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_RULES_H
#define DRIFT_LIB_WIRE_METRIC_RULES_H

#include "lib/wire/metric_message.h"
#include "lib/wire/metric_reader.h"

enum mistake {
    FINE,
    MISTAKE_PAYLOAD_KIND,
    MISTAKE_PAYLOAD_SIZE,
    MISTAKE_EVENT_KIND,
    MISTAKE_MEMBER_NAME,
    MISTAKE_METRIC_NAME,
    MISTAKE_METRIC_KIND,
    MISTAKE_NUMBER_KIND,
    MISTAKE_NOT_FINITE,
    MISTAKE_RATIO,
    MISTAKE_NEGATIVE,
    MISTAKE_METRIC_COUNT,
    MISTAKE_TIME_KIND,
    MISTAKE_TIME_TEXT,
    MISTAKE_TIME_RANGE,
    MISTAKE_FUTURE,
    MISTAKE_INTEGER_KIND,
    MISTAKE_INTEGER_RANGE,
    MISTAKE_COUNT_RANGE,
    MISTAKE_STRING_KIND,
    MISTAKE_STRING_SIZE,
    MISTAKE_BOOT_KIND,
    MISTAKE_MODEL_KIND,
    MISTAKE_MODEL_ID,
    MISTAKE_BINS_KIND,
    MISTAKE_BINS_COUNT,
    MISTAKE_BINS_FIT,
    MISTAKE_EDGES,
    MISTAKE_COLUMNS_UNEVEN,
    MISTAKE_COLUMNS_NONE,
    MISTAKE_COLUMNS_EMPTY,
    MISTAKE_COLUMNS_BINS,
    MISTAKE_COLUMNS_SIZE,
    MISTAKE_TOPICS_KIND,
    MISTAKE_TOPICS_MISSING,
    MISTAKE_TOPIC
};

enum metric_drop mistake_reason(enum mistake mistake);

/* What is allowed, in a few words that follow "it" or the event: static. */
const char *mistake_words(enum mistake mistake);

/* What a member is by its name. */
enum member {
    MEMBER_TIMESTAMP,
    MEMBER_NODE,
    MEMBER_BOOT,
    MEMBER_SEQ,
    MEMBER_N,
    MEMBER_MODEL,
    MEMBER_RATIO,        /* accuracy, precision, recall */
    MEMBER_NOT_NEGATIVE, /* latency_ms, processed_fps */
    MEMBER_METRIC,       /* any other name that a metric may have */
    MEMBER_MISNAMED      /* no metric may be called so */
};

/* `with_model`: a member "model" names the event's model; otherwise the name means nothing. */
enum member member_of(struct text name, bool with_model);

/* Any number that is finite. */
enum mistake rule_finite(const struct wire_value *value, double *out);

/* A metric's number. */
enum mistake rule_number(enum member member, const struct wire_value *value, double *out);

/* A time, as a number, as text or as MessagePack's timestamp; later than `latest_s` is MISTAKE_FUTURE. */
enum mistake rule_time(const struct wire_value *value, double latest_s, double *out);

/* An integer of 64 bits that is not negative: seq, and the counts of histograms and categories. A number without a
 * fraction is one however it is written: 3, 3.0, 3e0. */
enum mistake rule_integer(const struct wire_value *value, uint64_t *out);

/* The same, at least 1: n. */
enum mistake rule_count(const struct wire_value *value, uint64_t *out);

enum mistake rule_node(const struct wire_value *value, struct text *out);

#define RULE_BOOT_DIGITS 24

/* The digits of a number, written to the end of `digits`. */
struct text rule_digits(uint64_t number, char digits[RULE_BOOT_DIGITS]);

/* A string, or an integer whose digits are written to `digits`. */
enum mistake rule_boot(const struct wire_value *value, char digits[RULE_BOOT_DIGITS], struct text *out);

#endif
