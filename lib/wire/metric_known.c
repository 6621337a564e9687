#include "lib/wire/metric_known.h"

#define PROBES 8 /* a name that finds no place near its own is none of ours */

static void learn(struct known_name *out, struct text name, enum member member, uint64_t key)
{
    unsigned char ones[8] = {0};
    *out = (struct known_name){.len = (uint8_t)name.len, .last = (uint8_t)((name.len - 1) / 8), .member = (uint8_t)member, .key = key ? key : 1};
    memcpy(out->word, name.at, name.len);
    memset(ones, 0xff, name.len - 8 * (size_t)out->last);
    memcpy(&out->mask, ones, sizeof ones);
}

struct known_name *known_find(struct known_names *self, const struct siphash_key *secret, struct text name)
{
    if (name.len == 0 || name.len > METRIC_NAME_MAX)
        return NULL;
    const uint64_t key = siphash13(secret, name.at, name.len);
    uint32_t at = (uint32_t)key & (KNOWN_SLOTS - 1);
    for (int tried = 0; tried < PROBES; tried++, at = (at + 1) & (KNOWN_SLOTS - 1)) {
        struct known_name *known = &self->at[self->slots[at]];
        if (self->slots[at]) {
            if (known->len == name.len && memcmp(known->word, name.at, name.len) == 0)
                return known;
            continue;
        }
        enum member member = member_of(name, true);
        if (member == MEMBER_MISNAMED)
            return NULL;
        if (self->count + 1 == KNOWN_MAX)
            break;
        self->slots[at] = (uint16_t)++self->count;
        learn(&self->at[self->count], name, member, key);
        return &self->at[self->count];
    }
    self->strangers++;
    return NULL;
}

void known_refresh(struct known_names *self)
{
    if (self->strangers < KNOWN_PATIENCE)
        return;
    uint64_t stamp = self->stamp;
    *self = (struct known_names){.stamp = stamp};
}
