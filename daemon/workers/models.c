#include "daemon/workers/models.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/lines.h"

#define SLOTS_FIRST 1024u
#define CARRIED 4 /* slots a model that is added; two would do */

/* tag: the upper half of the hash, which says where to look first. place: index + 1; 0: free. */
struct slot {
    uint32_t tag, place;
};

/* At most 3/4 of the slots are used, so a search ends. */
struct table {
    struct slot *slots;
    uint32_t size; /* a power of two */
};

#define GUESSES 7    /* of a line */
#define LINE_SLOTS 4 /* of the table, for each line of guesses: some two models where it is as full as it gets before it grows */

/* A line of guesses: a byte of the sum of each, in a word, so that another model is hardly ever looked at. */
struct guesses {
    uint64_t tags;
    struct model *at[GUESSES];
};

static_assert(sizeof(struct guesses) == LINES_BYTES, "guesses that share a line are looked at together");

struct models {
    struct table table;
    struct table before;     /* while the table grows: what stood in it then; .slots NULL: it does not */
    uint32_t moved;          /* slots of `before` that stand in `table` as well */
    struct guesses *guesses; /* a line for each LINE_SLOTS of the table, */
    uint32_t guesses_mask;   /* less one */
    struct model **at;
    uint32_t *due_s; /* of each */
    uint32_t count, room;
};

static int table_open(struct table *self, uint32_t size)
{
    self->size = size;
    self->slots = calloc(size, sizeof *self->slots); /* large ones are pages that come when they are touched */
    return self->slots ? 0 : -ENOMEM;
}

static struct guesses *guesses_new(uint32_t size)
{
    return lines_zeroed((size_t)size / LINE_SLOTS * sizeof(struct guesses));
}

int models_new(struct models **self_p)
{
    *self_p = NULL;
    struct models *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->guesses = guesses_new(SLOTS_FIRST);
    self->guesses_mask = SLOTS_FIRST / LINE_SLOTS - 1;
    if (!self->guesses || table_open(&self->table, SLOTS_FIRST) < 0) {
        models_destroy(&self);
        return -ENOMEM;
    }
    *self_p = self;
    return 0;
}

/* --- guesses --- */

/* A sum over all bytes of an id, without a secret. */
static uint32_t sum_of(struct text id)
{
    uint64_t sum = id.len, word = 0;
    size_t at = 0;
    for (; at + sizeof word < id.len; at += sizeof word) {
        memcpy(&word, id.at + at, sizeof word);
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 32;
    }
    if (id.len >= sizeof word)
        memcpy(&word, id.at + id.len - sizeof word, sizeof word);
    else if (id.len)
        memcpy(&word, id.at, id.len);
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(sum >> 32);
}

static struct guesses *guesses_of(const struct models *self, uint32_t guess)
{
    return &self->guesses[guess & self->guesses_mask];
}

static uint64_t tag_of(uint32_t guess)
{
    return guess >> 24;
}

/* Which of a line has the tag of a guess; GUESSES: none. A byte that is zero borrows from its upper bit, and the lowest
 * that says so is one. */
static uint32_t place_of(uint64_t tags, uint32_t guess)
{
    const uint64_t ones = UINT64_C(0x01010101010101), differ = tags ^ tag_of(guess) * ones;
    const uint64_t same = (differ - ones) & ~differ & ones << 7;
    return same ? (uint32_t)__builtin_ctzll(same) / 8 : GUESSES;
}

uint32_t models_guess(const struct models *self, struct text id)
{
    const uint32_t guess = sum_of(id);
    lines_ask(guesses_of(self, guess));
    return guess;
}

struct model *models_guessed(const struct models *self, uint32_t guess)
{
    const struct guesses *line = guesses_of(self, guess);
    const uint32_t place = place_of(line->tags, guess);
    struct model *model = place < GUESSES ? line->at[place] : NULL;
    if (!model)
        return NULL;
    lines_ask(&model->hash);
    lines_ask((const char *)&model->hash + LINES_BYTES);
    return model;
}

/* In the place of one with the same tag, in a free one, or in any: where a line does not hold all, most of them stay. */
void models_learn(struct models *self, uint32_t guess, struct model *model)
{
    struct guesses *line = guesses_of(self, guess);
    uint32_t place = place_of(line->tags, guess);
    for (uint32_t i = 0; place == GUESSES && i < GUESSES; i++)
        place = line->at[i] ? place : i;
    if (place == GUESSES)
        place = (guess >> 16) % GUESSES;
    line->tags = (line->tags & ~(UINT64_C(0xff) << 8 * place)) | tag_of(guess) << 8 * place;
    line->at[place] = model;
}

static void unlearn(struct models *self, const struct model *model)
{
    struct guesses *line = guesses_of(self, sum_of((struct text){model->text, model->len}));
    for (uint32_t i = 0; i < GUESSES; i++)
        line->at[i] = line->at[i] == model ? NULL : line->at[i];
}

/* --- the index --- */

static struct model *find_in(const struct models *self, const struct table *table, uint64_t hash, struct text id)
{
    const uint32_t tag = (uint32_t)(hash >> 32), mask = table->size - 1;
    for (uint32_t i = tag & mask; table->slots[i].place; i = (i + 1) & mask) {
        if (table->slots[i].tag != tag)
            continue;
        struct model *model = self->at[table->slots[i].place - 1];
        if (model->hash == hash && text_equal((struct text){model->text, model->len}, id))
            return model;
    }
    return NULL;
}

struct model *models_find(const struct models *self, uint64_t hash, struct text id)
{
    struct model *model = find_in(self, &self->table, hash, id);
    return model || !self->before.slots ? model : find_in(self, &self->before, hash, id);
}

static void put(struct table *table, struct slot slot)
{
    uint32_t i = slot.tag & (table->size - 1);
    while (table->slots[i].place)
        i = (i + 1) & (table->size - 1);
    table->slots[i] = slot;
}

/* Carries up to so many slots over. */
static void carry(struct models *self, uint32_t slots)
{
    for (; slots && self->before.slots && self->moved < self->before.size; slots--) {
        const struct slot slot = self->before.slots[self->moved++];
        if (slot.place)
            put(&self->table, slot);
    }
    if (self->before.slots && self->moved == self->before.size) {
        free(self->before.slots);
        self->before.slots = NULL;
    }
}

/* What was carried over by then is all: between two growths half as many models are added as there were slots, and each
 * carries CARRIED. */
static int grow(struct models *self)
{
    struct table larger;
    carry(self, UINT32_MAX);
    struct guesses *guesses = guesses_new(self->table.size * 2);
    if (!guesses || table_open(&larger, self->table.size * 2) < 0) {
        lines_free(guesses);
        return -ENOMEM;
    }
    lines_free(self->guesses);
    self->guesses = guesses; /* they are learnt anew */
    self->guesses_mask = larger.size / LINE_SLOTS - 1;
    self->before = self->table;
    self->table = larger;
    self->moved = 0;
    return 0;
}

static int make_room(struct models *self)
{
    if (self->count == self->room) {
        uint32_t room = self->room ? self->room * 2 : SLOTS_FIRST / 2;
        struct model **at = realloc(self->at, room * sizeof *at);
        if (!at)
            return -ENOMEM;
        self->at = at;
        uint32_t *due_s = realloc(self->due_s, room * sizeof *due_s);
        if (!due_s)
            return -ENOMEM;
        self->due_s = due_s;
        self->room = room;
    }
    return self->count < self->table.size / 4 * 3 ? 0 : grow(self);
}

static_assert(offsetof(struct model, text) + 40 <= 3 * LINES_BYTES, "two lines have what an event touches");

int models_add(struct models *self, uint64_t hash, const struct model_id *id, struct monitor *monitor, int64_t now_ns,
               struct model **out)
{
    assert(!models_find(self, hash, id->whole));
    if (make_room(self) < 0)
        return -ENOMEM;
    struct model *model = lines_zeroed(offsetof(struct model, text) + id->whole.len + 1); /* less than whole lines */
    if (!model)
        return -ENOMEM;
    memcpy(model->text, id->whole.at, id->whole.len);
    model->len = (uint16_t)id->whole.len;
    model->project_len = (uint8_t)id->project.len;
    model->name_len = (uint8_t)id->name.len;
    model->hash = hash;
    model->monitor = monitor;
    model_renewed(model);
    model->first_seen_ns = model->heard_ns = now_ns;
    model->silenced_ns = model->tape_silenced_ns = INT64_MIN;
    model->triggered_ns = model->ended_ns = INT64_MIN;
    self->due_s[self->count] = 0;
    self->at[self->count++] = model;
    put(&self->table, (struct slot){.tag = (uint32_t)(hash >> 32), .place = self->count});
    carry(self, CARRIED);
    *out = model;
    return 0;
}

static uint32_t slot_of(const struct models *self, uint32_t place)
{
    const struct table *table = &self->table;
    uint32_t i = (uint32_t)(self->at[place]->hash >> 32) & (table->size - 1);
    while (table->slots[i].place != place + 1)
        i = (i + 1) & (table->size - 1);
    return i;
}

/* Frees a slot, and moves back what was pushed behind it. */
static void slot_free(struct table *table, uint32_t free_slot)
{
    const uint32_t mask = table->size - 1;
    for (uint32_t i = (free_slot + 1) & mask; table->slots[i].place; i = (i + 1) & mask) {
        if (((i - table->slots[i].tag) & mask) < ((i - free_slot) & mask))
            continue;
        table->slots[free_slot] = table->slots[i];
        free_slot = i;
    }
    table->slots[free_slot] = (struct slot){.place = 0};
}

static void model_free(struct model *model)
{
    monitor_destroy(&model->monitor);
    recorder_clear(&model->recorder);
    lines_free(model);
}

void models_remove(struct models *self, uint32_t place)
{
    struct model *model = self->at[place];
    const uint32_t last = self->count - 1;
    carry(self, UINT32_MAX);
    unlearn(self, model);
    slot_free(&self->table, slot_of(self, place));
    if (place != last) {
        self->table.slots[slot_of(self, last)].place = place + 1;
        self->at[place] = self->at[last];
        self->due_s[place] = self->due_s[last];
    }
    self->count--;
    model_free(model);
}

uint32_t models_count(const struct models *self)
{
    return self->count;
}

struct model *models_at(const struct models *self, uint32_t place)
{
    return self->at[place];
}

uint32_t models_due(const struct models *self, uint32_t place, uint32_t end, uint32_t now_s)
{
    while (place < end && self->due_s[place] > now_s)
        place++;
    return place;
}

void models_put_off(struct models *self, uint32_t place, uint32_t until_s)
{
    self->due_s[place] = until_s;
}

void models_all_due(struct models *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        self->due_s[i] = 0;
}

void models_destroy(struct models **self_p)
{
    struct models *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++)
        model_free(self->at[i]);
    free(self->at);
    free(self->due_s);
    free(self->table.slots);
    free(self->before.slots);
    lines_free(self->guesses);
    free(self);
}
