#include "lib/detect/codec.h"

#include <string.h>

static void walk(struct codec *self, uint64_t *value, unsigned bytes)
{
    if (self->failed || self->size - self->at < bytes) {
        self->failed = self->failed || self->in || self->out;
        if (!self->failed)
            self->at += bytes;
        return;
    }
    if (codec_loads(self)) {
        *value = 0;
        for (unsigned i = 0; i < bytes; i++)
            *value |= (uint64_t)self->in[self->at + i] << (8 * i);
    } else if (self->out) {
        for (unsigned i = 0; i < bytes; i++)
            self->out[self->at + i] = (uint8_t)(*value >> (8 * i));
    }
    self->at += bytes;
}

void codec_bytes(struct codec *self, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = bytes[i];
        walk(self, &value, 1);
        bytes[i] = (uint8_t)value;
    }
}

void codec_flag(struct codec *self, bool *value)
{
    uint64_t raw = *value;
    walk(self, &raw, 1);
    *value = raw != 0;
}

void codec_u32(struct codec *self, uint32_t *value, uint32_t most)
{
    uint64_t raw = *value;
    walk(self, &raw, 4);
    if (raw > most)
        self->failed = true;
    else
        *value = (uint32_t)raw;
}

void codec_u64(struct codec *self, uint64_t *value)
{
    walk(self, value, 8);
}

void codec_f64(struct codec *self, double *value)
{
    uint64_t raw;
    memcpy(&raw, value, sizeof(raw));
    walk(self, &raw, 8);
    memcpy(value, &raw, sizeof(raw));
}

void codec_f64s(struct codec *self, double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        codec_f64(self, &values[i]);
}

void codec_f32s(struct codec *self, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        codec_u32(self, &bits, UINT32_MAX);
        memcpy(&values[i], &bits, sizeof(bits));
    }
}
