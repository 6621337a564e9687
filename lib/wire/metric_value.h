/* metric_value.h - the values of an event of a shape that are read by themselves.
 *
 * Each returns where the value ends; NULL: it is none that the short way takes. In JSON the last byte before `end` is a
 * bracket, and 16 bytes at least stand before it.
 *
 * Threads, memory, failure: as metric_decoder.h says.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_VALUE_H
#define DRIFT_LIB_WIRE_METRIC_VALUE_H

#include "lib/wire/metric_fast.h"

/* A metric's number, in its range. */
const unsigned char *value_json_metric(const struct shape_member *member, const unsigned char *at,
                                       const unsigned char *end, double *out);
const unsigned char *value_msgpack_metric(const struct shape_member *member, const unsigned char *at,
                                          const unsigned char *end, double *out);

/* Of any other member, to where it belongs. */
const unsigned char *value_json(struct metric_decoder *self, struct fast_event *out, const struct shape_member *member,
                                const unsigned char *at, const unsigned char *end);
const unsigned char *value_msgpack(struct metric_decoder *self, struct fast_event *out,
                                   const struct shape_member *member, const unsigned char *at,
                                   const unsigned char *end);

/* How a number or an integer is written that was found good and ends at `end`. */
struct shape_form value_json_form(const struct shape_member *member, const unsigned char *at, const unsigned char *end);
struct shape_form value_msgpack_form(const struct shape_member *member, const unsigned char *at);

/* An integer that is a boot. */
static inline bool value_msgpack_boot(struct metric_decoder *self, struct fast_event *out, uint64_t whole)
{
    if (!fast_msgpack_integer(self, out, MEMBER_BOOT, whole))
        return false;
    const struct fast_said said = out->boot;
    if (said.len && said.len == out->told->boot_len &&
        metric_sender_boot(out->told, (const unsigned char *)said.at + said.len))
        out->same |= FAST_BOOT;
    return true;
}

#endif
