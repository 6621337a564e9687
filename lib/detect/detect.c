#include "lib/detect/detect.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "lib/detect/detector.h"
#include "lib/detect/reference.h"
#include "lib/lines.h"

#define SAVE_VERSION 1
#define LINE 64         /* bytes of a line of the cache */
#define HOT_UNKNOWN 192 /* of a state that does not say */
static const uint8_t save_magic[4] = {'D', 'R', 'D', 'T'};

struct detect {
    const struct detector *type;
    uint64_t taken;
    uint64_t fingerprint; /* of the parameters */
    uint32_t state_bytes;
    uint8_t last;   /* enum detect_state */
    bool copied;    /* the parameters stand behind the state */
    double state[]; /* as aligned as any state needs */
};

/* FNV-1a over the values, all NANs alike. Limits are left out: detect_retune() may have changed them. */
static uint64_t fingerprint_of(const struct detect_params *params)
{
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; i < DETECT_PARAMS_MAX + DETECT_STAGES_MAX; i++) {
        uint32_t stage = i - DETECT_PARAMS_MAX;
        double value = i < DETECT_PARAMS_MAX    ? params->value[i]
                       : stage < params->stages ? params->stage[stage].values
                                                : 0;
        if (isnan(value))
            value = NAN;
        uint64_t bits;
        memcpy(&bits, &value, sizeof(bits));
        for (int byte = 0; byte < 8; byte++)
            hash = (hash ^ ((bits >> (8 * byte)) & 0xff)) * 1099511628211u;
    }
    return hash;
}

size_t detect_room(const struct detect_params *params)
{
    return sizeof(struct detect) + params->type->bytes(params);
}

struct detect *detect_open(void *room, const struct detect_params *params)
{
    struct detect *self = room;
    memset(self, 0, detect_room(params));
    self->type = params->type;
    self->state_bytes = (uint32_t)params->type->bytes(params);
    self->fingerprint = fingerprint_of(params);
    self->type->init(self->state, params);
    self->type->restart(self->state);
    return self;
}

void detect_prefetch(const struct detect *self, const struct detect_params *params, uint64_t index)
{
    const struct detector *type = params->type;
    const char *state = (const char *)self->state;
    const uint32_t hot = (uint32_t)sizeof *self + (type->hot ? type->hot : HOT_UNKNOWN);
    lines_ask(self);
    for (uint32_t at = LINE; at < hot; at += LINE)
        lines_ask((const char *)self + at);
    if (type->ring_places)
        lines_ask(state + type->ring_at + index % type->ring_places * sizeof(double));
}

/* Where the copy of the parameters stands, in a block for both. */
static size_t copy_at(size_t room)
{
    return (room + alignof(struct detect_params) - 1) / alignof(struct detect_params) * alignof(struct detect_params);
}

int detect_new(struct detect **self_p, const char *name, const struct detect_params *params)
{
    *self_p = NULL;
    struct detect_params defaults;
    int error = detect_params_init(&defaults, name, NULL);
    if (error)
        return error;
    if (!params)
        params = &defaults;
    if (params->type != defaults.type)
        return -EINVAL;
    if ((error = detect_params_check(params, NULL)))
        return error;
    const size_t at = copy_at(detect_room(params));
    void *room = malloc(at + sizeof *params);
    if (!room)
        return -ENOMEM;
    void *copy = (char *)room + at;
    *self_p = detect_open(room, memcpy(copy, params, sizeof *params));
    (*self_p)->copied = true;
    return 0;
}

static struct detect_verdict verdict_of(const struct detect *self, enum detect_state state)
{
    return (struct detect_verdict){.state = state,
                                   .statistic = NAN,
                                   .threshold = NAN,
                                   .n = self->taken,
                                   .changed_at = DETECT_UNKNOWN,
                                   .size = NAN,
                                   .lower = NAN,
                                   .upper = NAN};
}

/* What is said about a value that was not taken: an alarm is not repeated, a warning stands. */
static struct detect_verdict unchanged(const struct detect *self)
{
    return verdict_of(self, self->last == DETECT_WARNING ? DETECT_WARNING : DETECT_NONE);
}

static void begin(struct detect *self)
{
    if (self->last == DETECT_DRIFT) {
        self->type->restart(self->state);
        self->last = DETECT_NONE;
    }
    self->taken++;
}

/* In place: whoever copies a verdict that was just written waits for all that was written before it. */
void detect_take(struct detect *self, double value, struct detect_verdict *out)
{
    if (!isfinite(value)) {
        *out = unchanged(self);
        return;
    }
    begin(self);
    *out = verdict_of(self, DETECT_NONE);
    self->type->add(self->state, self->taken - 1, detect_within(value, -DETECT_VALUE_MAX, DETECT_VALUE_MAX), out);
    self->last = (uint8_t)out->state;
}

struct detect_verdict detect_add(struct detect *self, double value)
{
    struct detect_verdict verdict;
    detect_take(self, value, &verdict);
    return verdict;
}

bool detect_knows_quiet(const struct detect *self)
{
    return self->type->quiet != NULL;
}

bool detect_quiet(const struct detect *self, uint32_t most, struct detect_quiet *out)
{
    *out = (struct detect_quiet){.values = most, .low = -DETECT_VALUE_MAX, .high = DETECT_VALUE_MAX};
    if (!self->type->quiet)
        return false;
    if (self->last == DETECT_NONE)
        self->type->quiet(self->state, most, out);
    else
        out->values = 0;
    return true;
}

void detect_take_quiet(struct detect *self, const double *values, uint32_t count, struct detect_verdict *out)
{
    *out = verdict_of(self, DETECT_NONE);
    for (uint32_t i = 0; i < count && !self->type->add_quiet; i++)
        self->type->add(self->state, self->taken + i, values[i], out);
    if (self->type->add_quiet)
        self->type->add_quiet(self->state, self->taken, values, count, out);
    out->n = self->taken += count;
    assert(out->state == DETECT_NONE && out->changed_at == DETECT_UNKNOWN);
}

/* The common end of events that carry a distribution: `result` 1 means that there was nothing in it. */
static int finish(struct detect *self, int result, const struct detect_verdict *verdict, struct detect_verdict *out)
{
    if (result != 0) {
        self->taken--;
        if (result < 0)
            return result;
        *out = unchanged(self);
        return 0;
    }
    self->last = (uint8_t)verdict->state;
    *out = *verdict;
    return 0;
}

int detect_add_histogram(struct detect *self, const double *edges, const uint64_t *counts, uint32_t bins,
                         struct detect_verdict *out)
{
    if (!self->type->add_histogram)
        return -ENOTSUP;
    begin(self);
    struct detect_verdict verdict = verdict_of(self, DETECT_NONE);
    int result = self->type->add_histogram(self->state, self->taken - 1, edges, counts, bins, &verdict);
    return finish(self, result, &verdict, out);
}

int detect_add_categories(struct detect *self, const struct detect_category *categories, uint32_t count,
                          struct detect_verdict *out)
{
    if (!self->type->add_categories)
        return -ENOTSUP;
    begin(self);
    struct detect_verdict verdict = verdict_of(self, DETECT_NONE);
    int result = self->type->add_categories(self->state, self->taken - 1, categories, count, &verdict);
    return finish(self, result, &verdict, out);
}

void detect_reset(struct detect *self)
{
    self->taken = 0;
    self->last = DETECT_NONE;
    self->type->restart(self->state);
}

static struct reference *reference_of(const struct detect *self)
{
    const size_t at = self->type->reference_at;
    return at ? (struct reference *)(void *)((char *)(uintptr_t)self->state + at) : NULL;
}

int detect_retune(struct detect *self, const struct detect_params *params)
{
    if (params->type != self->type || fingerprint_of(params) != self->fingerprint)
        return -EINVAL;
    if (self->copied)
        params = memcpy((char *)self + copy_at(sizeof *self + self->state_bytes), params, sizeof *params);
    if (self->type->reference_at)
        reference_retune(reference_of(self), params);
    if (self->type->retune)
        self->type->retune(self->state, params);
    return 0;
}

int detect_reference(const struct detect *self, struct detect_reference *out)
{
    const struct reference *reference = reference_of(self);
    if (!reference)
        return -ENOTSUP;
    *out = (struct detect_reference){.collected = reference->count,
                                     .wanted = reference->wanted,
                                     .judging = reference->judged > 0,
                                     .logs = reference->logs,
                                     .phi = reference->phi,
                                     .level = reference->centre / (1 - reference->phi),
                                     .sd = reference->sd,
                                     .limit = reference->limit,
                                     .slack = reference->slack,
                                     .cut = reference->cut,
                                     .scale = {reference->scale[0], reference->scale[1]}};
    return 0;
}

int detect_moments(const struct detect *self, struct detect_moments *out)
{
    if (!self->type->moments)
        return -ENOTSUP;
    return self->type->moments(self->state, out) ? 0 : -EAGAIN;
}

uint64_t detect_taken(const struct detect *self)
{
    return self->taken;
}

const char *detect_name_of(const struct detect *self)
{
    return self->type->name;
}

size_t detect_bytes(const struct detect *self)
{
    size_t more = self->type->more_bytes ? self->type->more_bytes(self->state) : 0;
    if (self->type->reference_at)
        more += reference_more_bytes(reference_of(self));
    return sizeof(*self) + self->state_bytes + (self->copied ? sizeof(struct detect_params) : 0) + more;
}

uint64_t detect_clipped(const struct detect *self)
{
    return self->type->clipped ? self->type->clipped(self->state) : 0;
}

/* The head: magic, version, name, fingerprint. Returns -EPROTO or -EINVAL when it is not of an instance like this. */
static int walk_head(struct detect *self, struct codec *codec)
{
    uint8_t magic[sizeof(save_magic)], name[32] = {0};
    uint32_t version = SAVE_VERSION;
    uint64_t fingerprint = self->fingerprint;
    memcpy(magic, save_magic, sizeof(magic));
    memcpy(name, self->type->name, strlen(self->type->name));
    codec_bytes(codec, magic, sizeof(magic));
    codec_u32(codec, &version, UINT32_MAX);
    codec_bytes(codec, name, sizeof(name));
    codec_u64(codec, &fingerprint);
    if (codec->failed || memcmp(magic, save_magic, sizeof(magic)) != 0 || version != SAVE_VERSION)
        return -EPROTO;
    if (name[sizeof(name) - 1] || strcmp((const char *)name, self->type->name) != 0 || fingerprint != self->fingerprint)
        return -EINVAL;
    return 0;
}

static void walk_state(struct detect *self, struct codec *codec)
{
    uint32_t last = self->last;
    codec_u64(codec, &self->taken);
    codec_u32(codec, &last, DETECT_DRIFT);
    self->last = (uint8_t)last;
    self->type->walk(self->state, codec);
}

size_t detect_save(const struct detect *self, void *buffer, size_t size)
{
    /* The walk is one function for both ways, hence the cast: when it saves it changes nothing that a value will see.
     */
    struct detect *source = (struct detect *)(uintptr_t)self;
    struct codec saving = {.out = buffer, .size = size}, counting = {0};
    walk_head(source, &saving);
    walk_state(source, &saving);
    if (!saving.failed)
        return saving.at;
    walk_head(source, &counting);
    walk_state(source, &counting);
    return counting.at;
}

int detect_load(struct detect *self, const void *buffer, size_t size)
{
    struct codec loading = {.in = buffer, .size = size};
    detect_reset(self);
    int error = walk_head(self, &loading);
    if (error)
        return error;
    walk_state(self, &loading);
    if (loading.failed || loading.at != size) {
        detect_reset(self);
        return loading.out_of_memory ? -ENOMEM : -EPROTO;
    }
    return 0;
}

void detect_close(struct detect *self)
{
    if (self->type->reference_at)
        reference_release(reference_of(self));
    if (self->type->release)
        self->type->release(self->state);
}

void detect_destroy(struct detect **self_p)
{
    if (!*self_p)
        return;
    detect_close(*self_p);
    free(*self_p);
    *self_p = NULL;
}
