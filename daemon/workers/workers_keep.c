/* How the ends of all streams are written down for the next run. A stream is kept as a keyed hash by the shard that its
 * topic hashes to: the next run takes the key over, and starts anew where it has another number of shards. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/workers/workers_inside.h"
#include "lib/codec.h"

struct head {
    struct siphash_key key;
    uint32_t shards;
};

static void walk_head(struct head *head, struct codec *codec)
{
    codec_u64(codec, &head->key.k0);
    codec_u64(codec, &head->key.k1);
    codec_u32(codec, &head->shards, WORKERS_MAX);
}

static void save(struct workers *self, struct codec *codec, struct now now)
{
    struct head head = {.key = self->options.key, .shards = self->shards};
    walk_head(&head, codec);
    for (uint32_t i = 0; i < self->shards; i++)
        shard_save_streams(self->at[i].shard, codec, now);
}

int workers_save_streams(struct workers *self, uint8_t **bytes_p, size_t *size_p, struct now now)
{
    struct codec counting = {.at = 0};
    save(self, &counting, now);
    struct codec saving = {.out = malloc(counting.at), .size = counting.at};
    *bytes_p = saving.out;
    *size_p = counting.at;
    if (!saving.out)
        return -ENOMEM;
    save(self, &saving, now);
    return 0;
}

int workers_streams_key(const uint8_t *bytes, size_t size, struct siphash_key *out)
{
    struct codec loading = {.in = bytes, .size = size};
    struct head head = {.shards = 0};
    walk_head(&head, &loading);
    *out = head.key;
    return loading.failed ? -EPROTO : 0;
}

int workers_load_streams(struct workers *self, const uint8_t *bytes, size_t size, struct now now)
{
    struct codec loading = {.in = bytes, .size = size};
    struct head head = {.shards = 0};
    walk_head(&head, &loading);
    if (loading.failed)
        return -EPROTO;
    if (head.key.k0 != self->options.key.k0 || head.key.k1 != self->options.key.k1 || head.shards != self->shards)
        return -ESTALE;
    for (uint32_t i = 0; i < self->shards; i++)
        shard_load_streams(self->at[i].shard, &loading, now);
    return loading.failed || loading.at != size ? -EPROTO : 0;
}
