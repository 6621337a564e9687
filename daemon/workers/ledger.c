#include "daemon/workers/ledger.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/workers/ledger_inside.h"

#define NODES_FIRST 16u
#define S_NS INT64_C(1000000000)

int ledger_new(struct ledger **self_p, const struct siphash_key *key, uint32_t streams_max)
{
    *self_p = NULL;
    struct ledger *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->key = *key;
    self->streams_max = streams_max;
    if (streams_open(&self->streams) < 0) {
        ledger_destroy(&self);
        return -ENOMEM;
    }
    *self_p = self;
    return 0;
}

/* Many messages come at one time. */
static inline uint32_t seconds(struct ledger *self, int64_t now_ns)
{
    if (self->now_ns != now_ns) {
        self->now_ns = now_ns;
        self->now_s = (uint32_t)(now_ns / S_NS);
    }
    return self->now_s;
}

/* A stream's name is kept as its keyed hash alone: with 64 bits and a secret key two of a million streams meet with a
 * probability of one in 3 * 10^7, and would then report a loss that was none. It is not 0. */
static uint64_t stream_name(const struct ledger *self, uint64_t topic, struct text node, struct text boot)
{
    unsigned char bytes[8 + 2 + 2 * 256];
    size_t node_len = node.len < 256 ? node.len : 256, boot_len = boot.len < 256 ? boot.len : 256;
    memcpy(bytes, &topic, 8);
    bytes[8] = (unsigned char)node_len;
    bytes[9] = (unsigned char)(node_len >> 8);
    if (node_len)
        memcpy(bytes + 10, node.at, node_len);
    if (boot_len)
        memcpy(bytes + 10 + node_len, boot.at, boot_len);
    uint64_t name = siphash13(&self->key, bytes, 10 + node_len + boot_len);
    return name ? name : 1;
}

static bool nodes_grow(struct ledger *self)
{
    uint32_t room = self->node_room ? self->node_room * 2 : NODES_FIRST;
    struct ledger_node *nodes = realloc(self->nodes, room * sizeof *nodes);
    if (!nodes)
        return false;
    self->nodes = nodes;
    uint32_t *slots = calloc((size_t)room * 2, sizeof *slots);
    if (!slots)
        return false;
    free(self->node_slots);
    self->node_slots = slots;
    self->node_room = room;
    for (uint32_t i = 0; i < self->node_count; i++) {
        uint64_t hash = siphash13(&self->key, nodes[i].name, strlen(nodes[i].name));
        uint32_t at = (uint32_t)hash & (room * 2 - 1);
        while (slots[at])
            at = (at + 1) & (room * 2 - 1);
        slots[at] = i + 1;
    }
    return true;
}

bool ledger_account(struct ledger *self, struct text name, uint32_t *out)
{
    name.len = name.len ? strnlen(name.at, name.len) : 0;
    if (self->node_count == self->node_room && !nodes_grow(self))
        return false;
    uint32_t mask = self->node_room * 2 - 1;
    uint64_t hash = siphash13(&self->key, name.len ? name.at : "", name.len);
    uint32_t at = (uint32_t)hash & mask;
    for (; self->node_slots[at]; at = (at + 1) & mask) {
        if (text_is(name, self->nodes[self->node_slots[at] - 1].name)) {
            *out = self->node_slots[at] - 1;
            return true;
        }
    }
    /* One account is kept back for the unnamed. */
    if (self->node_count >= LEDGER_NODES_MAX - 1 && name.len > 0)
        return ledger_account(self, (struct text){0}, out);
    char *copy = name.len ? strndup(name.at, name.len) : strdup("");
    if (!copy)
        return false;
    self->nodes[self->node_count] = (struct ledger_node){.name = copy, .told_ns = INT64_MIN};
    self->node_slots[at] = ++self->node_count;
    *out = self->node_count - 1;
    return true;
}

/* Whose publisher is heard of under a boot that is not known has started anew; the first one says nothing. Two publishers
 * of one name that take turns count once. Those that share an account cannot be told apart. */
static void note_boot(const struct ledger *self, struct ledger_node *account, struct text boot)
{
    if (!boot.len || !*account->name)
        return;
    uint32_t hash = (uint32_t)siphash13(&self->key, boot.at, boot.len);
    for (uint32_t i = 0; i < account->boot_count && i < LEDGER_BOOTS; i++) {
        if (account->boots[i] == hash)
            return;
    }
    account->restarts += account->boot_count > 0;
    account->boots[account->boot_count++ % LEDGER_BOOTS] = hash;
}

static inline struct ledger_node *account_of(const struct ledger *self, const struct stream *stream)
{
    return &self->nodes[stream->node - 1];
}

enum found {
    FOUND,
    FOUND_NEW,  /* nothing was heard of it */
    FOUND_AGAIN /* the run before has heard of it, and this one does now */
};

/* The stream; a new one has next == 0. NULL when it cannot be followed. */
static struct stream *stream_find(struct ledger *self, uint64_t topic, struct text node, struct text boot,
                                  int64_t now_ns, enum found *found_p)
{
    uint64_t name = stream_name(self, topic, node, boot);
    struct stream *stream = streams_find(&self->streams, name);
    *found_p = !stream ? FOUND_NEW : stream->node & LEDGER_KEPT ? FOUND_AGAIN : FOUND;
    if (*found_p == FOUND_AGAIN) {
        stream->node &= ~LEDGER_KEPT;
        note_boot(self, account_of(self, stream), boot);
    } else if (*found_p == FOUND_NEW) {
        uint32_t account;
        const bool full = self->streams.used >= self->streams_max || !streams_room(&self->streams);
        if (full || !ledger_account(self, node, &account)) {
            self->not_followed++;
            return NULL;
        }
        note_boot(self, &self->nodes[account], boot);
        stream = streams_add(&self->streams, name);
        stream->node = account + 1;
    }
    stream->seen_s = seconds(self, now_ns);
    return stream;
}

/* Numbers come from outside: a counter stops at the largest that JSON's readers can hold. */
static void count(uint64_t *counter, uint64_t more)
{
    *counter = more > (uint64_t)INT64_MAX - *counter ? (uint64_t)INT64_MAX : *counter + more;
}

/* Nobody counts this far: numbers beyond it were made up, and say nothing of how many messages there were. */
#define COUNTED_MAX (UINT64_C(1) << 53)

static uint64_t counted(uint64_t more)
{
    return more <= COUNTED_MAX ? more : 0;
}

/* seq + 1, but for the one number that has none above it. */
static uint64_t after(uint64_t seq)
{
    return seq == UINT64_MAX ? seq : seq + 1;
}

/* A message of a stream that was heard of before. */
static inline uint64_t follow(struct ledger *self, struct stream *stream, bool has_boot, uint64_t seq)
{
    struct ledger_node *account = account_of(self, stream);
    uint64_t lost = 0;
    account->messages++;
    if (seq >= stream->next) {
        lost = counted(seq - stream->next);
        if (lost)
            count(&account->lost, lost);
    } else if (!has_boot) {
        account->restarts++;
        count(&account->before_joining, counted(seq));
    } else {
        account->repeated++;
        return 0;
    }
    stream->next = after(seq);
    return lost;
}

/* What a stream of the run before sent up to `next` came while there was nobody to take it. */
static void skip(struct ledger *self, struct stream *stream, uint64_t next)
{
    if (next <= stream->next)
        return;
    count(&account_of(self, stream)->while_down, counted(next - stream->next));
    count(&self->while_down, counted(next - stream->next));
    stream->next = next;
}

/* A message of a stream that has to be looked for. */
static uint64_t message_of_any(struct ledger *self, uint64_t topic, struct text node, struct text boot, uint64_t seq,
                               int64_t now_ns)
{
    enum found found;
    struct stream *stream = stream_find(self, topic, node, boot, now_ns, &found);
    if (!stream)
        return 0;
    if (found == FOUND_AGAIN)
        skip(self, stream, seq);
    if (found != FOUND_NEW)
        return follow(self, stream, boot.len > 0, seq);
    struct ledger_node *account = account_of(self, stream);
    account->messages++;
    count(&account->before_joining, counted(seq));
    stream->next = after(seq);
    return 0;
}

/* --- memos --- */

/* A message of the memo's sender, whose stream is there. */
static inline uint64_t go_on(struct ledger *self, struct ledger_memo *memo, uint64_t seq, int64_t now_ns)
{
    memo->others = 0;
    memo->stream.seen_s = seconds(self, now_ns);
    return follow(self, &memo->stream, memo->sender.boot_len > 0, seq);
}

void ledger_part(struct ledger *self, struct ledger_memo *memo, uint64_t topic)
{
    if (memo->stream.node)
        streams_back(&self->streams, stream_name(self, topic, metric_sender_its_node(&memo->sender),
                                                 metric_sender_its_boot(&memo->sender)));
    *memo = (struct ledger_memo){.stream = {0}};
}

/* Whose message was not of the memo's stream may have his there from now on. */
static void take_over(struct ledger *self, struct ledger_memo *memo, uint64_t topic, struct text node, struct text boot)
{
    struct metric_sender sender;
    if (memo->stream.node && ++memo->others < LEDGER_OTHERS)
        return;
    const uint64_t name = stream_name(self, topic, node, boot);
    if (!metric_sender_put(&sender, node, boot) || !streams_find(&self->streams, name))
        return;
    ledger_part(self, memo, topic);
    memo->sender = sender;
    streams_lend(&self->streams, name, &memo->stream);
}

uint64_t ledger_message(struct ledger *self, struct ledger_memo *memo, uint64_t topic, struct text node,
                        struct text boot, uint64_t seq, int64_t now_ns)
{
    if (memo && memo->stream.node && metric_sender_is(&memo->sender, node, boot))
        return go_on(self, memo, seq, now_ns);
    const uint64_t lost = message_of_any(self, topic, node, boot, seq, now_ns);
    if (memo)
        take_over(self, memo, topic, node, boot);
    return lost;
}

bool ledger_again(struct ledger *self, struct ledger_memo *memo, uint64_t seq, int64_t now_ns)
{
    if (!memo->stream.node)
        return false;
    go_on(self, memo, seq, now_ns);
    return true;
}

uint64_t ledger_beacon(struct ledger *self, uint64_t topic, struct text node, struct text boot, uint64_t seq,
                       int64_t now_ns)
{
    enum found found;
    struct stream *stream = stream_find(self, topic, node, boot, now_ns, &found);
    if (!stream)
        return 0;
    uint64_t lost = 0;
    if (found == FOUND_AGAIN) {
        skip(self, stream, after(seq));
        return 0;
    }
    if (found == FOUND_NEW) {
        count(&account_of(self, stream)->before_joining, counted(after(seq)));
    } else if (seq >= stream->next) {
        lost = counted(after(seq) - stream->next);
        count(&account_of(self, stream)->lost, lost);
    } else {
        return 0;
    }
    stream->next = after(seq);
    return lost;
}

void ledger_sweep(struct ledger *self, uint32_t slots, int64_t now_ns)
{
    streams_sweep(&self->streams, slots, (uint32_t)(now_ns / S_NS), LEDGER_FORGET_S);
}

const struct ledger_node *ledger_untold(struct ledger *self, int64_t every_ns, int64_t now_ns, uint64_t *fresh_p)
{
    for (uint32_t i = 0; i < self->node_count; i++) {
        if (self->untold_hand >= self->node_count)
            self->untold_hand = 0;
        struct ledger_node *node = &self->nodes[self->untold_hand++];
        if (node->lost == node->lost_told || (node->told_ns != INT64_MIN && now_ns - node->told_ns < every_ns))
            continue;
        *fresh_p = node->lost - node->lost_told;
        node->lost_told = node->lost;
        node->told_ns = now_ns;
        return node;
    }
    return NULL;
}

uint32_t ledger_node_count(const struct ledger *self)
{
    return self->node_count;
}

const struct ledger_node *ledger_node_at(const struct ledger *self, uint32_t index)
{
    return &self->nodes[index];
}

uint32_t ledger_stream_count(const struct ledger *self)
{
    return self->streams.used;
}

uint64_t ledger_not_followed(const struct ledger *self)
{
    return self->not_followed;
}

uint64_t ledger_while_down(const struct ledger *self)
{
    return self->while_down;
}

void ledger_destroy(struct ledger **self_p)
{
    struct ledger *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->node_count; i++)
        free(self->nodes[i].name);
    free(self->nodes);
    free(self->node_slots);
    streams_close(&self->streams);
    free(self);
}
