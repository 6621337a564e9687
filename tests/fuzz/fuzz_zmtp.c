/* fuzz_zmtp.c - the reader of ZMTP against any bytes: in pieces they say what they say in one, and what they say lies
 * within them.
 *
 * The first byte of an input says whether a handshake stands before the rest, and how large a message may be; the next
 * four how long the pieces are, in turns. Each piece is read out of memory of just its size. */
#include "lib/wire/zmtp.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_main.h"

#define BEFORE 5 /* bytes that are not read */
#define BYTES_MAX 8192
#define NULL_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SHAKEN                                                                                                         \
    "\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL" NULL_16 NULL_16 NULL_16 "\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB"

/* All that was said, as one number. */
struct said {
    uint64_t sum;
    uint32_t opened;
    bool over;
};

static void must(bool kept)
{
    if (!kept)
        abort();
}

static void add(struct said *said, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    said->sum = (said->sum ^ len) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < len; i++)
        said->sum = (said->sum ^ at[i]) * UINT64_C(0x100000001b3);
}

static void promise_within(struct text part, const uint8_t *at, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)part.at;
    must(part.len == 0 || (bytes >= at && bytes < at + len && part.len <= (size_t)(at + len - bytes)));
}

static void take(struct said *said, enum zmtp_what what, const struct zmtp_said *out, const uint8_t *at, size_t used,
                 size_t most)
{
    said->sum = (said->sum ^ what) * UINT64_C(0x100000001b3);
    if (what == ZMTP_MESSAGE) {
        promise_within(out->topic, at, used);
        promise_within(out->payload, at, used);
        must(out->parts > 0 && out->parts <= used / 2 && (out->parts > 1 || out->payload.len == 0));
        must(out->topic.len <= most && out->payload.len <= most && used <= most + ZMTP_BESIDE && said->opened == 1);
        add(said, out->topic.at, out->topic.len);
        add(said, out->payload.at, out->payload.len);
        add(said, &out->parts, sizeof out->parts);
    } else if (what == ZMTP_ANSWER) {
        must(out->answer.len <= ZMTP_ANSWER_MAX);
        add(said, out->answer.at, out->answer.len);
    } else if (what == ZMTP_OPEN) {
        must(said->opened++ == 0);
    } else {
        must(out->fault < ZMTP_FAULTS);
        add(said, &out->fault, sizeof out->fault);
        said->over = true;
    }
}

/* Reads what there is to read of `len` bytes; returns how many are done with. */
static size_t read_piece(struct zmtp *zmtp, struct said *said, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1), *at = copy;
    must(copy != NULL);
    memcpy(copy, bytes, len);
    for (size_t rounds = 0; !said->over; rounds++) {
        struct zmtp_said out;
        size_t used, left = (size_t)(copy + len - at);
        const enum zmtp_what what = zmtp_read(zmtp, at, left, &used, &out);
        must(used <= left && rounds <= len);
        if (what == ZMTP_WAIT) {
            must(used == 0 && zmtp->need > left);
            break;
        }
        if (what == ZMTP_END && out.fault == ZMTP_TOO_LARGE) {
            promise_within(out.topic, at, left);
            add(said, out.topic.at, out.topic.len);
        }
        take(said, what, &out, at, used, zmtp->most);
        at += used;
    }
    const size_t done = (size_t)(at - copy);
    free(copy);
    return done;
}

static struct said read_all(const uint8_t *bytes, size_t len, size_t most, const uint8_t pieces[4])
{
    struct zmtp zmtp;
    struct said said = {.sum = 1};
    size_t done = 0, have = 0;
    zmtp_init(&zmtp, most);
    for (unsigned turn = 0; have < len && !said.over; turn++) {
        const size_t piece = pieces ? 1 + (size_t)pieces[turn % 4] : len;
        have = len - have < piece ? len : have + piece;
        done += read_piece(&zmtp, &said, bytes + done, have - done);
    }
    return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[sizeof SHAKEN + BYTES_MAX];
    if (size < BEFORE || size > BYTES_MAX)
        return 0;
    const size_t before = data[0] & 1 ? sizeof SHAKEN - 1 : 0, most = (size_t)16 << (data[0] >> 1) % 8;
    const size_t len = before + size - BEFORE;
    memcpy(bytes, SHAKEN, before);
    memcpy(bytes + before, data + BEFORE, size - BEFORE);
    const struct said whole = read_all(bytes, len, most, NULL), parts = read_all(bytes, len, most, data + 1);
    must(whole.sum == parts.sum && whole.opened == parts.opened && whole.over == parts.over);
    must(before == 0 || whole.opened == 1);
    return 0;
}

#ifdef FUZZ_STANDALONE
static const uint8_t shake[] = "\x0e\0\1\2\3" SHAKEN "\x01\x01t\0\x01p";
static const uint8_t talk[] = "\x0f\0\1\2\3\x01\x01t\x04\x07\x04PING\0\x0a\0\x01p\x02\0\0\0\0\0\0\0\x01q";
static const uint8_t *const examples[] = {shake, talk};
static const size_t sizes[] = {sizeof shake - 1, sizeof talk - 1};
#endif
FUZZ_MAIN(examples, sizes, 2)
