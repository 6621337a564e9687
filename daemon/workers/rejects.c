#include "daemon/workers/rejects.h"

#include <stdio.h>

static uint16_t keep(char *to, size_t room, struct text from)
{
    size_t len = from.len < room ? from.len : room;
    if (len)
        memcpy(to, from.at, len);
    return (uint16_t)len;
}

void rejects_count(struct rejects *self, enum metric_drop reason, uint64_t count, struct text topic,
                   struct text payload, const char *detail, double now_s)
{
    struct reject *reject = &self->of[reason];
    reject->count += count;
    reject->at_s = now_s;
    reject->topic_len = keep(reject->topic, sizeof reject->topic, topic);
    reject->payload_len = keep(reject->payload, sizeof reject->payload, payload);
    reject->payload_bytes = payload.len;
    snprintf(reject->detail, sizeof reject->detail, "%s", detail ? detail : "");
}

uint64_t rejects_sum(const struct rejects *self)
{
    uint64_t sum = 0;
    for (int i = 0; i < DROP_REASONS; i++)
        sum += self->of[i].count;
    return sum;
}

void rejects_visible(const char *bytes, size_t len, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char piece[5] = {(char)c};
        if (c < ' ' || c > '~' || c == '\\')
            snprintf(piece, sizeof piece, "\\x%02x", c);
        size_t piece_len = strlen(piece);
        if (used + piece_len >= size)
            break;
        memcpy(out + used, piece, piece_len);
        used += piece_len;
    }
    out[used] = '\0';
}
