/* codec.h - one walk over a state, which saves it or loads it.
 *
 * Whoever has a state names its fields once, in order; the same walk writes and reads them, so the two cannot disagree.
 * All is little-endian. The cursor is sticky: after the first failure nothing is read or written any more, and
 * codec.failed says so at the end.
 *
 * Threads: a codec belongs to one walk. Memory: none of its own. Failure: the sticky flag; a value that is loaded is
 * checked against the bound that the field gives, so that a damaged file cannot reach outside of an array.
 */
#ifndef DRIFT_LIB_CODEC_H
#define DRIFT_LIB_CODEC_H

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

/* A text of `room` bytes with its NUL: its length, then its bytes. */
void codec_text(struct codec *self, char *text, size_t room);

/* A moment of a clock that does not jump. The clock of who loads may have another origin: `shift_ns` is added there, up
 * to the ends of what 64 bits hold. INT64_MIN, which stands for never, stays. */
void codec_moment(struct codec *self, int64_t *at_ns, int64_t shift_ns);

/* Passes over bytes: of what is loaded those that nobody wants, of what is saved those that others have written. */
void codec_skip(struct codec *self, size_t bytes);

/* For a part that is written and read by others. When saving, codec_open() leaves room for the length and codec_close()
 * fills in how many bytes have been walked since; when loading, codec_open() returns the length, which is there. */
size_t codec_open(struct codec *self);
void codec_close(struct codec *self, size_t opened);

#endif
