/* metric_shape_read.h - an event of a shape, read as it is laid out; for metric_quick.c alone, which reads nothing
 * else.
 *
 * shape_json() and shape_msgpack() return where the event ends; NULL: it is of another shape. In JSON the last byte
 * before `end` is a bracket, and 16 bytes at least stand before it.
 *
 * Threads, memory, failure: as metric_decoder.h says.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_SHAPE_READ_H
#define DRIFT_LIB_WIRE_METRIC_SHAPE_READ_H

#include "lib/wire/json_number.h"
#include "lib/wire/metric_pairs.h"
#include "lib/wire/metric_value.h"

/* The functions below with `json` are compiled for each of the two formats. */
#define EACH_FORMAT static inline __attribute__((always_inline))

/* --- values that are as laid out; `end`: where they end --- */

static inline uint64_t shape_laid_digits(const struct shape_member *member, const unsigned char *end)
{
    return pairs_digits((pairs_word(end - 8) & member->digits[0]) | (pairs_word(end - 9) & member->point[0]));
}

/* Of up to sixteen. */
static __attribute__((noinline)) uint64_t shape_laid_wide(const struct shape_member *member, const unsigned char *end)
{
    const uint64_t high = (pairs_word(end - 16) & member->digits[1]) | (pairs_word(end - 17) & member->point[1]);
    return shape_laid_digits(member, end) + pairs_digits(high) * 100000000;
}

/* Where both factors are doubles, one operation rounds once. */
static inline double shape_laid_json(const struct shape_member *member, const unsigned char *end)
{
    if (!member->wide)
        return (double)(int64_t)shape_laid_digits(member, end) / member->tens;
    const uint64_t mantissa = shape_laid_wide(member, end);
    if (mantissa <= UINT64_C(1) << 53)
        return (double)(int64_t)mantissa / member->tens;
    const double number = json_fraction(mantissa, member->form.behind ? member->form.behind - 1u : 0);
    return member->tens < 0 ? -number : number;
}

static inline double shape_laid_msgpack(const unsigned char *end)
{
    double number;
    const uint64_t bits = pairs_high_word(end - 8);
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Infinities and NAN are in no range. */
EACH_FORMAT bool shape_take_laid_metric(struct fast_event *out, const struct shape_member *member,
                                        const unsigned char *end, const bool json)
{
    const double number = json ? shape_laid_json(member, end) : shape_laid_msgpack(end);
    shape_metric(member, out->metrics)->number = number;
    return number >= member->least && number <= member->most;
}

static inline bool shape_take_laid_boot(struct fast_event *out, const struct shape_member *member,
                                        const unsigned char *end)
{
    const size_t digits = member->form.whole;
    if (digits == out->told->boot_len && fast_told_boot(out, end))
        return true;
    out->boot = fast_said(end - digits, digits);
    return true;
}

EACH_FORMAT bool shape_take_laid(struct metric_decoder *self, struct fast_event *out, const struct shape_member *member,
                                 const unsigned char *end, const bool json)
{
    const enum member kind = (enum member)member->member;
    if (member->metric)
        return shape_take_laid_metric(out, member, end, json);
    if (member->value == SHAPE_NUMBER)
        return fast_time(out, json ? shape_laid_json(member, end) : shape_laid_msgpack(end));
    if (json)
        return kind == MEMBER_BOOT
                   ? shape_take_laid_boot(out, member, end)
                   : fast_integer(out, kind,
                                  member->wide ? shape_laid_wide(member, end) : shape_laid_digits(member, end),
                                  METRIC_NOT_SAID);
    const uint64_t whole = member->form.head ? pairs_high_word(end - 8) : end[-1];
    return kind == MEMBER_BOOT ? value_msgpack_boot(self, out, whole) : fast_integer(out, kind, whole, METRIC_NOT_SAID);
}

/* --- values that are not --- */

/* The node or the boot that was told. NULL: it is another, or something else. */
EACH_FORMAT const unsigned char *shape_take_told(struct fast_event *out, const struct shape_member *member,
                                                 const unsigned char *at, const unsigned char *end, const bool json)
{
    const struct metric_sender *told = out->told;
    const bool node = member->member == MEMBER_NODE;
    const unsigned len = node ? told->node_len : told->boot_len;
    const unsigned char *first = at + 1, *behind = first + len;
    if (end - behind < 8 || *at != (json ? '"' : (0xa0 | len)))
        return NULL;
    if (json && (!told->plain || *behind != '"'))
        return NULL;
    const bool same = node ? fast_told_node(out, first) : member->member == MEMBER_BOOT && fast_told_boot(out, behind);
    return same ? behind + json : NULL;
}

EACH_FORMAT const unsigned char *shape_take_by_itself(struct metric_decoder *self, struct fast_event *out,
                                                      const struct shape_member *member, const unsigned char *at,
                                                      const unsigned char *end, const bool json)
{
    if (!member->metric)
        return json ? value_json(self, out, member, at, end) : value_msgpack(self, out, member, at, end);
    double *number = &shape_metric(member, out->metrics)->number;
    return json ? value_json_metric(member, at, end, number) : value_msgpack_metric(member, at, end, number);
}

static __attribute__((noinline)) void shape_look(struct shape *shape, struct shape_member *member,
                                                 const unsigned char *at, const unsigned char *end)
{
    if (layout_looks(shape, member))
        layout_look(shape, member, shape->json ? value_json_form(member, at, end) : value_msgpack_form(member, at));
}

/* --- an event --- */

/* From a member on, the bytes before which begin at `at`, to the end of the event. */
EACH_FORMAT const unsigned char *shape_take_from(struct metric_decoder *self, struct shape *shape,
                                                 struct fast_event *out, struct shape_member *member,
                                                 const unsigned char *at, const unsigned char *end, const bool json)
{
    for (;; member++) {
        struct shape_member *stop = layout_stop(shape, member, at, end);
        if (!stop)
            return NULL;
        const ptrdiff_t from = member->laid;
        for (; member < stop; member++) {
            if (!shape_take_laid(self, out, member, at + (member->end - from), json))
                return NULL;
        }
        at += member->behind - from;
        if (member->value == SHAPE_END)
            return at;
        const unsigned char *first = at;
        at = shape_take_by_itself(self, out, member, at, end, json);
        if (!at)
            return NULL;
        if (member->value != SHAPE_TEXT)
            shape_look(shape, member, first, at);
    }
}

static __attribute__((noinline)) const unsigned char *shape_take_rest(struct metric_decoder *self, struct shape *shape,
                                                                      struct fast_event *out,
                                                                      struct shape_member *member,
                                                                      const unsigned char *at, const unsigned char *end)
{
    return shape->json ? shape_take_from(self, shape, out, member, at, end, true)
                       : shape_take_from(self, shape, out, member, at, end, false);
}

/* What is laid out in a run. */
EACH_FORMAT bool shape_take_run(struct metric_decoder *self, struct fast_event *out, const struct layout_run *run,
                                const unsigned char *at, const bool json)
{
    for (const struct layout_extra *extra = run->extra; extra < run->extra_end; extra++) {
        if (!shape_take_laid(self, out, extra->member, at + extra->end, json))
            return false;
    }
    return json ? pairs_json(run->pair, run->pair_end, at, out->metrics)
                : pairs_msgpack(run->pair, run->pair_end, at, out->metrics);
}

EACH_FORMAT const unsigned char *shape_take_runs(struct metric_decoder *self, struct shape *shape,
                                                 struct fast_event *out, const unsigned char *at,
                                                 const unsigned char *end, const bool json)
{
    struct shape_member *member = shape->at;
    for (const struct layout_run *run = shape->runs;; run++, member++) {
        if (__builtin_expect(!layout_same(run, at, end), 0))
            return shape_take_rest(self, shape, out, member, at, end);
        if (run->laid && !shape_take_run(self, out, run, at, json))
            return NULL;
        at += run->len;
        member = run->stop;
        if (run->ends)
            return at;
        const unsigned char *first = at;
        at = run->text ? shape_take_told(out, member, at, end, json) : NULL;
        if (!at)
            at = shape_take_by_itself(self, out, member, first, end, json);
        if (!at)
            return NULL;
        if (!run->text && (int32_t)(shape->met - member->look) >= 0)
            shape_look(shape, member, first, at);
    }
}

EACH_FORMAT const unsigned char *shape_event(struct metric_decoder *self, struct shape *shape, const unsigned char *at,
                                             const unsigned char *end, struct fast_event *out, const bool json)
{
    shape->met++;
    if (shape->changed)
        layout_renew(shape);
    at = shape_take_runs(self, shape, out, at, end, json);
    if (!at)
        return NULL;
    if (!fast_named(self, shape))
        fast_name(self, shape, out->metrics);
    out->event->metric_count = shape->metric_count;
    out->event->shape = shape->metrics;
    out->carried = shape->carried;
    return at;
}

EACH_FORMAT const unsigned char *shape_json(struct metric_decoder *self, struct shape *shape, const unsigned char *at,
                                            const unsigned char *end, struct fast_event *out)
{
    return shape_event(self, shape, at, end, out, true);
}

EACH_FORMAT const unsigned char *shape_msgpack(struct metric_decoder *self, struct shape *shape,
                                               const unsigned char *at, const unsigned char *end,
                                               struct fast_event *out)
{
    return shape_event(self, shape, at, end, out, false);
}

#endif
