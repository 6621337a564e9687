/* codec.h - one walk over a state, which saves it or loads it.
 *
 * A detector names its fields once, in order; the same walk writes and reads them, so the two cannot disagree. The
 * cursor is sticky: after the first failure nothing is read or written any more, and codec.failed says so at the end.
 *
 * Threads: a codec belongs to one walk. Memory: none of its own. Failure: the sticky flag; a value that is loaded is
 * checked against the bound that the field gives, so that a damaged file cannot reach outside of an array.
 */
#ifndef DRIFT_LIB_DETECT_CODEC_H
#define DRIFT_LIB_DETECT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec {
    uint8_t *out;      /* saving; NULL: only count */
    const uint8_t *in; /* loading; NULL: saving */
    size_t size;       /* bytes at `in` or `out` */
    size_t at;         /* bytes walked */
    bool failed, out_of_memory;
};

static inline bool codec_loads(const struct codec *self)
{
    return self->in != NULL;
}

void codec_bytes(struct codec *self, uint8_t *bytes, size_t count);
void codec_flag(struct codec *self, bool *value);
void codec_u32(struct codec *self, uint32_t *value, uint32_t most); /* 0 .. most */
void codec_u64(struct codec *self, uint64_t *value);
void codec_f64(struct codec *self, double *value);
void codec_f64s(struct codec *self, double *values, size_t count);
void codec_f32s(struct codec *self, float *values, size_t count);

#endif
