#include "daemon/checkpoint/format.h"

#include <errno.h>
#include <string.h>

#include "lib/codec.h"
#include "lib/siphash.h"

static const uint8_t file_mark[8] = {'D', 'R', 'I', 'F', 'T', 'M', 'O', 'N'};
static const uint8_t model_mark[FORMAT_MARK_BYTES] = {'D', 'R', 'M', 'R'}, end_mark[FORMAT_MARK_BYTES] = {'D', 'R', 'E', 'N'};
static const struct siphash_key seal_key = {UINT64_C(0x6b63656863746672), UINT64_C(0x73726f74696e6f6d)};

#define HEAD_SEALED (FORMAT_HEAD - 8)

static uint64_t number_at(const uint8_t *at, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number |= (uint64_t)at[i] << (8 * i);
    return number;
}

static void number_put(uint8_t *at, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

static void walk_head(struct format_head *head, struct codec *codec)
{
    uint8_t mark[sizeof file_mark];
    uint64_t steady = (uint64_t)head->steady_ns;
    memcpy(mark, file_mark, sizeof mark);
    codec_bytes(codec, mark, sizeof mark);
    codec_u32(codec, &head->version, UINT32_MAX);
    codec_flag(codec, &head->changed_only);
    codec_u64(codec, &head->number);
    codec_u64(codec, &steady);
    codec_f64(codec, &head->wall_s);
    codec_text(codec, head->boot, sizeof head->boot);
    head->steady_ns = (int64_t)steady;
    if (memcmp(mark, file_mark, sizeof mark) != 0)
        codec->failed = true;
}

void format_head_write(uint8_t out[FORMAT_HEAD], const struct format_head *head)
{
    struct format_head copy = *head;
    struct codec saving = {.out = out, .size = HEAD_SEALED};
    memset(out, 0, FORMAT_HEAD);
    walk_head(&copy, &saving);
    number_put(out + HEAD_SEALED, siphash13(&seal_key, out, HEAD_SEALED), 8);
}

int format_head_read(const uint8_t at[FORMAT_HEAD], struct format_head *out)
{
    struct codec loading = {.in = at, .size = HEAD_SEALED};
    *out = (struct format_head){.version = 0};
    if (memcmp(at, file_mark, sizeof file_mark) != 0)
        return -ENOENT;
    const bool holds = number_at(at + HEAD_SEALED, 8) == siphash13(&seal_key, at, HEAD_SEALED);
    out->version = (uint32_t)number_at(at + sizeof file_mark, 4);
    if (holds && out->version != FORMAT_VERSION)
        return -EPROTO;
    if (!holds)
        return -ENOENT;
    walk_head(out, &loading);
    return loading.failed ? -ENOENT : 0;
}

static uint64_t seal_of(const uint8_t *record, uint32_t length)
{
    struct siphash_key key = seal_key;
    key.k0 ^= length;
    key.k1 ^= number_at(record, FORMAT_MARK_BYTES);
    return siphash13(&key, record + FORMAT_RECORD_HEAD, length);
}

static void seal_one(uint8_t *record, const uint8_t mark[FORMAT_MARK_BYTES], uint32_t length)
{
    memcpy(record, mark, FORMAT_MARK_BYTES);
    number_put(record + 4, length, 4);
    number_put(record + 8, seal_of(record, length), 8);
}

void format_seal(uint8_t *bytes, size_t used)
{
    for (size_t at = 0; at + FORMAT_RECORD_HEAD <= used;) {
        const uint32_t length = (uint32_t)number_at(bytes + at, 4);
        seal_one(bytes + at, model_mark, length);
        at += FORMAT_RECORD_HEAD + length;
    }
}

void format_end_write(uint8_t out[FORMAT_END], const struct format_head *head, uint64_t records)
{
    number_put(out + FORMAT_RECORD_HEAD, records, 8);
    format_head_write(out + FORMAT_RECORD_HEAD + 8, head);
    seal_one(out, end_mark, 8 + FORMAT_HEAD);
}

enum format_kind format_kind_of(const uint8_t at[FORMAT_RECORD_HEAD], uint32_t *length_p)
{
    *length_p = (uint32_t)number_at(at + 4, 4);
    if (memcmp(at, model_mark, FORMAT_MARK_BYTES) == 0)
        return FORMAT_MODEL;
    return memcmp(at, end_mark, FORMAT_MARK_BYTES) == 0 ? FORMAT_LAST : FORMAT_NOTHING;
}

bool format_holds(const uint8_t *record, uint32_t length)
{
    return number_at(record + 8, 8) == seal_of(record, length);
}

size_t format_next_mark(const uint8_t *bytes, size_t from, size_t size)
{
    for (size_t at = from; at + FORMAT_MARK_BYTES <= size; at++) {
        const uint8_t *found = memchr(bytes + at, 'D', size - FORMAT_MARK_BYTES - at + 1);
        if (!found)
            break;
        at = (size_t)(found - bytes);
        if (memcmp(found, model_mark, FORMAT_MARK_BYTES) == 0 || memcmp(found, end_mark, FORMAT_MARK_BYTES) == 0)
            return at;
    }
    return size;
}
