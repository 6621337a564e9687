#include "lib/wire/metric_shape.h"

#include <float.h>
#include <stdlib.h>

#include "lib/wire/metric_layout.h"
#include "lib/wire/metric_rules.h"

/* A shape while it is being made. */
struct draft {
    const struct siphash_key *secret;
    struct shape_member at[SHAPE_MEMBERS_MAX + 1];
    const unsigned char *literal[SHAPE_MEMBERS_MAX + 1];
    uint32_t count, metric_count;
    size_t bytes;
    uint64_t carried, metrics;
};

/* Keys are secret hashes: nobody can choose names whose mixture meets. */
static uint64_t mixed(uint64_t metrics, uint64_t key)
{
    metrics = (metrics ^ key) * UINT64_C(0x9e3779b97f4a7c15);
    return metrics ^ metrics >> 32;
}

/* What stands from `first` to `end`, with the name in it, and how the value begins that follows. */
static bool add(struct draft *self, const unsigned char *first, const unsigned char *end, struct text name,
                enum shape_value value)
{
    const size_t len = (size_t)(end - first);
    if (len > SHAPE_BYTES_MAX || self->count == SHAPE_MEMBERS_MAX + (value == SHAPE_END))
        return false;
    struct shape_member *out = &self->at[self->count];
    self->literal[self->count++] = first;
    *out = (struct shape_member){.at = (uint32_t)self->bytes, .len = (uint8_t)len, .value = (uint8_t)value};
    self->bytes += len;
    if (value == SHAPE_END)
        return true;
    const enum member member = member_of(name, true);
    if (value == SHAPE_NUMBER && (member == MEMBER_SEQ || member == MEMBER_BOOT || member == MEMBER_N))
        out->value = SHAPE_INTEGER;
    if (member == MEMBER_MISNAMED ||
        (out->value == SHAPE_NUMBER && member < MEMBER_RATIO && member != MEMBER_TIMESTAMP))
        return false;
    const uint64_t key = siphash13(self->secret, name.at, name.len);
    out->key = key ? key : 1;
    out->member = (uint8_t)member;
    out->metric = out->value == SHAPE_NUMBER && member >= MEMBER_RATIO;
    out->least = member == MEMBER_METRIC ? -DBL_MAX : 0;
    out->most = member == MEMBER_RATIO ? 1 : DBL_MAX;
    out->name_at = (uint8_t)((const unsigned char *)name.at - first);
    out->name_len = name.len;
    self->carried |= UINT64_C(1) << member;
    if (out->metric) {
        out->number = (uint16_t)(self->metric_count * sizeof(struct metric));
        self->metrics = mixed(self->metrics, out->key);
        self->metric_count++;
    }
    return true;
}

static const unsigned char *behind_space(const unsigned char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')
        at++;
    return at;
}

/* Behind the value at `at`; NULL: it is neither a number nor a text. */
static const unsigned char *behind_json(const unsigned char *at, const unsigned char *end, enum shape_value *out)
{
    *out = SHAPE_TEXT;
    if (*at == '"') {
        at = memchr(at + 1, '"', (size_t)(end - at) - 1);
        return at ? at + 1 : NULL;
    }
    *out = SHAPE_NUMBER;
    if (*at != '-' && (unsigned char)(*at - '0') > 9)
        return NULL;
    while (*at > ' ' && *at != ',' && *at != '}')
        at++;
    return at;
}

/* The event is well formed, flat and without escapes: so it was found to be. */
static bool draft_json(struct draft *self, const unsigned char *first, const unsigned char *end)
{
    const unsigned char *at = first + 1;
    for (;;) {
        at = behind_space(at);
        const unsigned char *name = at + 1, *quote = memchr(name, '"', (size_t)(end - name));
        if (*at != '"' || !quote)
            return false;
        at = behind_space(quote + 1);
        if (*at != ':')
            return false;
        enum shape_value value;
        const unsigned char *behind = behind_json(behind_space(at + 1), end, &value);
        if (!behind || !add(self, first, at + 1, (struct text){(const char *)name, (size_t)(quote - name)}, value))
            return false;
        first = behind;
        at = behind_space(behind);
        if (*at == '}')
            return add(self, first, at + 1, (struct text){0}, SHAPE_END);
        if (*at++ != ',')
            return false;
    }
}

/* The bytes of a text or a number by its head, with the head; 0: it is neither. */
static size_t bytes_of_msgpack(const unsigned char *at, enum shape_value *out)
{
    *out = SHAPE_NUMBER;
    if (*at <= 0x7f)
        return 1;
    if (*at == 0xca || *at == 0xcb)
        return *at == 0xca ? 5 : 9;
    if (*at >= 0xcc && *at <= 0xcf)
        return 1 + ((size_t)1 << (*at - 0xcc));
    *out = SHAPE_TEXT;
    if (*at >= 0xa0 && *at <= 0xbf)
        return 1 + (size_t)(*at & 0x1f);
    return *at == 0xd9 ? 2 + (size_t)at[1] : 0;
}

static bool draft_msgpack(struct draft *self, const unsigned char *first, const unsigned char *end)
{
    const unsigned char *at = first + (*first == 0xde ? 3 : 1);
    uint32_t members = *first == 0xde ? (uint32_t)first[1] << 8 | first[2] : *first & 0xfu;
    if (*first != 0xde && (*first & 0xf0) != 0x80)
        return false;
    for (; members > 0; members--) {
        enum shape_value value;
        const size_t head = *at == 0xd9 ? 2 : 1, name = bytes_of_msgpack(at, &value);
        if (value != SHAPE_TEXT || name == 0)
            return false;
        const struct text text = {(const char *)at + head, name - head};
        at += name;
        const size_t bytes = bytes_of_msgpack(at, &value);
        if (bytes == 0 || !add(self, first, at, text, value))
            return false;
        at += bytes;
        first = at;
    }
    return at == end && add(self, first, at, (struct text){0}, SHAPE_END);
}

static struct shape *finish(const struct draft *self, uint64_t hash, bool json)
{
    const size_t members = self->count * sizeof self->at[0], room = layout_room(self->bytes, self->count);
    const size_t pairs = self->metric_count * sizeof(struct layout_pair), runs = self->count * sizeof(struct layout_run);
    const size_t extras = self->count * sizeof(struct layout_extra);
    struct shape *out = malloc(sizeof *out + members + self->bytes + LAYOUT_CHUNK + 2 * room + pairs + runs + extras);
    if (!out)
        return NULL;
    unsigned char *bytes = (unsigned char *)out->at + members, *laid = bytes + self->bytes;
    laid += -(uintptr_t)laid % LAYOUT_CHUNK;
    *out = (struct shape){.hash = hash,
                          .carried = self->carried,
                          .metrics = self->metrics,
                          .count = self->count,
                          .metric_count = self->metric_count,
                          .json = json,
                          .bytes = bytes,
                          .least = laid,
                          .most = laid + room,
                          .pairs = (struct layout_pair *)(void *)(laid + 2 * room),
                          .runs = (struct layout_run *)(void *)(laid + 2 * room + pairs),
                          .extras = (struct layout_extra *)(void *)(laid + 2 * room + pairs + runs)};
    memcpy(out->at, self->at, members);
    for (uint32_t i = 0; i < self->count; i++)
        memcpy(bytes + self->at[i].at, self->literal[i], self->at[i].len);
    layout_make(out);
    return out;
}

uint16_t shape_learn(struct shapes *self, const struct siphash_key *secret, bool json, const unsigned char *at,
                     const unsigned char *end, uint64_t hash, const struct shape *tried)
{
    const uint32_t slot = (uint32_t)(hash >> 32) % SHAPE_SLOTS;
    struct shape **shape_p = &self->at[slot];
    const uint16_t place = (uint16_t)(slot + 1);
    if (*shape_p && (*shape_p)->hash == hash && *shape_p != tried)
        return place;
    self->patience += self->patience < SHAPE_PATIENCE;
    if (self->seen_once[slot] != hash) {
        self->seen_once[slot] = hash;
        return 0;
    }
    if (self->patience < SHAPE_PATIENCE && *shape_p)
        return 0;
    self->patience = 0;
    struct draft draft = {.secret = secret};
    struct shape *shape = NULL;
    if (json ? draft_json(&draft, at, end) : draft_msgpack(&draft, at, end))
        shape = finish(&draft, hash, json);
    if (!shape)
        return 0;
    shape->serial = ++self->serial;
    if (*shape_p) {
        (*shape_p)->retired = self->retired;
        self->retired = *shape_p;
    }
    *shape_p = shape;
    self->seen_once[slot] = ~hash;
    return place;
}

void shapes_forget(struct shapes *self)
{
    while (self->retired) {
        struct shape *gone = self->retired;
        self->retired = gone->retired;
        free(gone);
    }
}

void shapes_free(struct shapes *self)
{
    shapes_forget(self);
    for (uint32_t i = 0; i < SHAPE_SLOTS; i++)
        free(self->at[i]);
    *self = (struct shapes){.last = 0};
}
