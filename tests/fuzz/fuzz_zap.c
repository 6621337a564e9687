/* fuzz_zap.c - the decision on a ZAP request against any frames.
 *
 * Each byte of the input begins a frame: from 0x80 on it is one of the usual pieces, below that so many bytes of the
 * rest. Who is let in must have all of it right. */
#include "daemon/security/zap.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_main.h"

#define FRAMES_MAX 12
#define KEYS 5 /* one of each role, and of a trainer and an observer who are limited to a project */

static uint8_t keys[KEYS][32];
static struct keyring_reader reader;

static void make_ring(void)
{
    static const enum keyring_role roles[KEYS] = {KEYRING_NODE, KEYRING_TRAINER, KEYRING_OBSERVER, KEYRING_TRAINER,
                                                  KEYRING_OBSERVER};
    static const char *const shop[] = {"shop"};
    struct keyring_entry entries[KEYS];
    struct keyring *ring;
    memset(entries, 0, sizeof entries);
    for (int i = 0; i < KEYS; i++) {
        memset(keys[i], i + 1, sizeof keys[i]);
        entries[i].role = roles[i];
        entries[i].projects = shop;
        entries[i].project_count = i >= KEYRING_ROLES;
        entries[i].name = "somebody";
        if (!zmq_z85_encode(entries[i].key, keys[i], sizeof keys[i]))
            abort();
    }
    if (keyring_new(&ring) < 0 || keyring_replace(ring, entries, KEYS, NULL, 0) < 0)
        abort();
    keyring_open(&reader, ring);
}

static struct zap_frame usual(uint8_t which)
{
    static const char *const pieces[] = {"1.0",       "7",     "metrics", "jobs",  "feedback", "events",
                                         "127.0.0.1", "CURVE", "NULL",    "PLAIN", ""};
    static const char *const own[] = {"jobs/shop", "events/shop", "jobs/bank", "events/bank"};
    const size_t count = sizeof pieces / sizeof *pieces, more = sizeof own / sizeof *own;
    size_t piece = (which & 0x7fu) % (count + KEYS + more);
    if (piece >= count + KEYS)
        return (struct zap_frame){own[piece - count - KEYS], strlen(own[piece - count - KEYS])};
    return piece < count ? (struct zap_frame){pieces[piece], strlen(pieces[piece])}
                         : (struct zap_frame){keys[piece - count], sizeof keys[0]};
}

static uint32_t cut(const uint8_t *data, size_t size, struct zap_frame frames[FRAMES_MAX])
{
    uint32_t count = 0;
    for (size_t at = 0; at < size && count < FRAMES_MAX; count++) {
        uint8_t head = data[at++];
        if (head >= 0x80) {
            frames[count] = usual(head);
            continue;
        }
        size_t len = head < size - at ? head : size - at;
        frames[count] = (struct zap_frame){data + at, len};
        at += len;
    }
    return count;
}

static bool same(struct zap_frame frame, const char *text)
{
    return frame.len == strlen(text) && memcmp(frame.at, text, frame.len) == 0;
}

static bool begins(struct zap_frame frame, const char *text)
{
    return frame.len >= strlen(text) && memcmp(frame.at, text, strlen(text)) == 0;
}

/* Written down again, in another way. */
static bool may(const struct zap_frame *frames, uint32_t count)
{
    const struct zap_frame domain = frames[2];
    const bool let_in[KEYS] = {same(domain, "metrics"),
                               same(domain, "feedback") || same(domain, "jobs") || begins(domain, "jobs/"),
                               same(domain, "events") || begins(domain, "events/"),
                               same(domain, "feedback") || same(domain, "jobs/shop"), same(domain, "events/shop")};
    if (count != ZAP_FRAMES || !same(frames[0], "1.0") || !same(frames[5], "CURVE") || frames[6].len != 32)
        return false;
    for (int i = 0; i < KEYS; i++) {
        if (memcmp(frames[6].at, keys[i], 32) == 0)
            return let_in[i];
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zap_frame frames[FRAMES_MAX] = {{.at = "", .len = 0}};
    if (!reader.ring)
        make_ring();
    uint32_t count = cut(data, size, frames);
    for (uint32_t i = count; i < FRAMES_MAX; i++)
        frames[i] = (struct zap_frame){"", 0};
    struct zap_decision decision = zap_decide(frames, count, &reader);
    if ((decision.verdict == ZAP_ACCEPTED) != may(frames, count) ||
        (decision.verdict == ZAP_ACCEPTED) != (strcmp(decision.status, "200") == 0) ||
        strlen(decision.key) != (decision.verdict == ZAP_MALFORMED ? strlen(decision.key) : KEYRING_KEY_LEN))
        abort();
    return 0;
}

#ifdef FUZZ_STANDALONE
static const uint8_t good[] = {0x80, 0x81, 0x82, 0x86, 0x8a, 0x87, 0x8b};
static const uint8_t own[] = {0x80, 0x81, 0x90, 0x86, 0x8a, 0x87, 0x8e}; /* a limited trainer at its project's jobs */
static const uint8_t *const examples[] = {good, own};
static const size_t sizes[] = {sizeof good, sizeof own};
#endif
FUZZ_MAIN(examples, sizes, 2)
