/* How streams are written down at the end of a run, and go on in the next. */
#include "daemon/workers/ledger_inside.h"
#include "lib/wire/metric_message.h"

#define S_NS INT64_C(1000000000)

struct kept {
    uint64_t name, next;
    uint32_t silent_s;
    char *node; /* METRIC_NODE_MAX + 1 bytes */
};

static void walk(struct kept *kept, struct codec *codec)
{
    codec_u64(codec, &kept->name);
    codec_u64(codec, &kept->next);
    codec_u32(codec, &kept->silent_s, UINT32_MAX);
    codec_text(codec, kept->node, METRIC_NODE_MAX + 1);
}

void ledger_save(struct ledger *self, struct codec *codec, int64_t now_ns)
{
    const struct stream *stream;
    uint32_t count = self->streams.used, at = 0;
    struct kept kept;
    codec_u32(codec, &count, UINT32_MAX);
    while ((stream = streams_next(&self->streams, &at, &kept.name))) {
        kept.next = stream->next;
        kept.silent_s = (uint32_t)(now_ns / S_NS) - stream->seen_s;
        kept.node = self->nodes[(stream->node & ~LEDGER_KEPT) - 1].name;
        walk(&kept, codec);
    }
}

/* A stream for which there is no room begins anew. */
static void put_back(struct ledger *self, const struct kept *kept, int64_t now_ns)
{
    uint32_t account;
    if (!kept->name || kept->silent_s > LEDGER_FORGET_S || streams_find(&self->streams, kept->name))
        return;
    if (self->streams.used >= self->streams_max || !streams_room(&self->streams))
        return;
    if (!ledger_account(self, text_of(kept->node), &account))
        return;
    *streams_add(&self->streams, kept->name) = (struct stream){.next = kept->next,
                                                               .node = (account + 1) | LEDGER_KEPT,
                                                               .seen_s = (uint32_t)(now_ns / S_NS) - kept->silent_s};
}

void ledger_load(struct ledger *self, struct codec *codec, int64_t now_ns)
{
    uint32_t count = 0;
    char node[METRIC_NODE_MAX + 1];
    struct kept kept = {.node = node};
    codec_u32(codec, &count, UINT32_MAX);
    for (; count > 0 && !codec->failed; count--) {
        walk(&kept, codec);
        if (!codec->failed)
            put_back(self, &kept, now_ns);
    }
}
