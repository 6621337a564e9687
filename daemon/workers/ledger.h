/* ledger.h - what nodes say they have sent, against what has come: PUB/SUB loses silently, sequence numbers tell.
 *
 * A stream is (node, boot, topic), a run of one publisher on one topic. What lies between two numbers of a stream is
 * lost; what a stream sent before it was first heard of is counted apart, as before joining, and so is what is missing
 * between the end of one run of the daemon and the next, as while it was down. A beacon counts as the
 * numbers it names, so that a lost tail comes to light. A stream without a boot that goes back has started anew; with a
 * boot, a number that comes again is a repetition. A named node that is heard of under another boot than those before has
 * started anew, once.
 *
 * Streams and nodes are bounded. Beyond the bound new streams are not followed, and new nodes share one account,
 * without a name; both are counted. A stream that was silent for an hour is forgotten.
 *
 * Cost of a message: 30 instructions where it is known to be of the memo's sender, whose stream stands there, 110 where
 * that shows, 250 and a line of the table for another.
 *
 * Threads: one. Memory: grows up to the bounds. Failure: where memory is short a stream is not followed, and counted.
 */
#ifndef DRIFTD_WORKERS_LEDGER_H
#define DRIFTD_WORKERS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/workers/streams.h"
#include "lib/codec.h"
#include "lib/siphash.h"
#include "lib/text.h"
#include "lib/wire/metric_sender.h"

#define LEDGER_NODES_MAX 16384
#define LEDGER_FORGET_S 3600
#define LEDGER_OTHERS 8
#define LEDGER_BOOTS 8 /* of a node that are known again */

struct ledger;

struct ledger_node {
    char *name; /* "": unnamed */
    uint64_t messages, lost, before_joining, while_down, repeated, restarts;
    uint64_t lost_told; /* of `lost`, what ledger_untold() has handed out */
    int64_t told_ns;
    uint32_t boots[LEDGER_BOOTS], boot_count; /* their hashes, in a ring; how many were put there */
};

/* The stream of a topic's sender, for who keeps it beside the topic: the next message of the same needs no hash, and no
 * table. Others are looked for in the table, and only after LEDGER_OTHERS messages of theirs in a row does one have it: several
 * may send in turns. All zero: nothing is known. It stays where it is, until ledger_part(). */
struct ledger_memo {
    struct stream stream;
    struct metric_sender sender;
    uint8_t others; /* messages in a row that were of other senders */
};

int ledger_new(struct ledger **self_p, const struct siphash_key *key, uint32_t streams_max);

/* A message with a sequence number on the topic that hashes to `topic`; `memo` is this topic's, or NULL. Returns how many
 * were lost before it. */
uint64_t ledger_message(struct ledger *self, struct ledger_memo *memo, uint64_t topic, struct text node, struct text boot,
                        uint64_t seq, int64_t now_ns);

/* The same of a sender that is known to be the memo's. False: its stream has to be looked for, as ledger_message() does. */
bool ledger_again(struct ledger *self, struct ledger_memo *memo, uint64_t seq, int64_t now_ns);

/* The memo of the topic that hashes to `topic` goes: what it knows stays with the ledger. */
void ledger_part(struct ledger *self, struct ledger_memo *memo, uint64_t topic);

/* A beacon says that `seq` is the highest number sent on the topic. Returns how many that shows to be lost. */
uint64_t ledger_beacon(struct ledger *self, uint64_t topic, struct text node, struct text boot, uint64_t seq,
                       int64_t now_ns);

/* Forgets silent streams: looks at up to `slots` slots, going on where the last call ended. */
void ledger_sweep(struct ledger *self, uint32_t slots, int64_t now_ns);

/* The next node with losses that nobody was told of, at most one report a node in `every_ns`; NULL when there is none
 * (yet). *fresh_p: how many were lost since the last report. */
const struct ledger_node *ledger_untold(struct ledger *self, int64_t every_ns, int64_t now_ns, uint64_t *fresh_p);

uint32_t ledger_node_count(const struct ledger *self);
const struct ledger_node *ledger_node_at(const struct ledger *self, uint32_t index);
uint32_t ledger_stream_count(const struct ledger *self);
uint64_t ledger_not_followed(const struct ledger *self); /* messages of streams beyond the bound */
uint64_t ledger_while_down(const struct ledger *self);   /* of all nodes */

/* How far every stream has come, for a ledger of the same key in the next run. ledger_load() is for one that has heard of
 * nothing yet; what a damaged text says behind its damage is left out, and codec->failed. */
void ledger_save(struct ledger *self, struct codec *codec, int64_t now_ns);
void ledger_load(struct ledger *self, struct codec *codec, int64_t now_ns);

void ledger_destroy(struct ledger **self_p);

#endif
