#include "lib/codec.h"

#include <string.h>

/* On most machines numbers lie in memory as they lie in the file, and go there by the row. */
#define AS_IN_MEMORY (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* Takes so many bytes; false: there is nothing to copy, since that failed or nothing but a count is wanted. */
static bool walk(struct codec *self, size_t bytes)
{
    const bool counting = !self->in && !self->out;
    if (self->failed)
        return false;
    if (!counting && self->size - self->at < bytes) {
        self->failed = true;
        return false;
    }
    self->at += bytes;
    return !counting;
}

static void copy(struct codec *self, void *bytes, size_t count)
{
    if (count == 0 || !walk(self, count))
        return;
    if (codec_loads(self))
        memcpy(bytes, self->in + self->at - count, count);
    else
        memcpy(self->out + self->at - count, bytes, count);
}

static void number(struct codec *self, uint64_t *value, unsigned bytes)
{
    uint8_t raw[8];
    for (unsigned i = 0; i < bytes; i++)
        raw[i] = (uint8_t)(*value >> (8 * i));
    copy(self, raw, bytes);
    *value = 0;
    for (unsigned i = 0; i < bytes; i++)
        *value |= (uint64_t)raw[i] << (8 * i);
}

void codec_bytes(struct codec *self, uint8_t *bytes, size_t count)
{
    copy(self, bytes, count);
}

void codec_flag(struct codec *self, bool *value)
{
    uint64_t raw = *value;
    number(self, &raw, 1);
    *value = raw != 0;
}

void codec_u32(struct codec *self, uint32_t *value, uint32_t most)
{
    uint64_t raw = *value;
    number(self, &raw, 4);
    if (raw > most)
        self->failed = true;
    else
        *value = (uint32_t)raw;
}

void codec_u64(struct codec *self, uint64_t *value)
{
    number(self, value, 8);
}

void codec_f64(struct codec *self, double *value)
{
    uint64_t raw;
    memcpy(&raw, value, sizeof(raw));
    number(self, &raw, 8);
    memcpy(value, &raw, sizeof(raw));
}

void codec_f64s(struct codec *self, double *values, size_t count)
{
    if (AS_IN_MEMORY) {
        copy(self, values, count * sizeof(*values));
        return;
    }
    for (size_t i = 0; i < count; i++)
        codec_f64(self, &values[i]);
}

void codec_f32s(struct codec *self, float *values, size_t count)
{
    if (AS_IN_MEMORY) {
        copy(self, values, count * sizeof(*values));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        codec_u32(self, &bits, UINT32_MAX);
        memcpy(&values[i], &bits, sizeof(bits));
    }
}

void codec_text(struct codec *self, char *text, size_t room)
{
    uint32_t len = codec_loads(self) ? 0 : (uint32_t)strnlen(text, room - 1);
    codec_u32(self, &len, (uint32_t)room - 1);
    codec_bytes(self, (uint8_t *)text, self->failed ? 0 : len);
    if (!codec_loads(self))
        return;
    text[self->failed ? 0 : len] = '\0';
    if (memchr(text, '\0', len))
        self->failed = true;
}

void codec_moment(struct codec *self, int64_t *at_ns, int64_t shift_ns)
{
    uint64_t raw = (uint64_t)*at_ns;
    codec_u64(self, &raw);
    *at_ns = (int64_t)raw;
    if (!codec_loads(self) || *at_ns == INT64_MIN)
        return;
    if (__builtin_add_overflow(*at_ns, shift_ns, at_ns))
        *at_ns = shift_ns > 0 ? INT64_MAX : INT64_MIN + 1;
}

void codec_skip(struct codec *self, size_t bytes)
{
    walk(self, bytes);
}

size_t codec_open(struct codec *self)
{
    uint32_t length = 0;
    codec_u32(self, &length, UINT32_MAX);
    if (!codec_loads(self))
        return self->at;
    if (self->failed || self->size - self->at < length) {
        self->failed = true;
        return 0;
    }
    return length;
}

void codec_close(struct codec *self, size_t opened)
{
    if (self->failed || !self->out)
        return;
    const size_t length = self->at - opened;
    if (length > UINT32_MAX) {
        self->failed = true;
        return;
    }
    for (unsigned i = 0; i < 4; i++)
        self->out[opened - 4 + i] = (uint8_t)(length >> (8 * i));
}
