#include "daemon/security/zap.h"

#include <string.h>

#define KEY_BYTES 32

static bool is(struct zap_frame frame, const char *text)
{
    return frame.len == strlen(text) && memcmp(frame.at, text, frame.len) == 0;
}

/* False: no such domain. */
static bool role_of(struct zap_frame domain, enum keyring_role *out)
{
    static const struct {
        const char *domain;
        enum keyring_role role;
    } doors[] = {{"metrics", KEYRING_NODE},
                 {"jobs", KEYRING_TRAINER},
                 {"feedback", KEYRING_TRAINER},
                 {"events", KEYRING_OBSERVER}};
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
        if (!is(domain, doors[i].domain))
            continue;
        *out = doors[i].role;
        return true;
    }
    return false;
}

struct zap_decision zap_decide(const struct zap_frame *frames, uint32_t count, struct keyring_reader *reader)
{
    struct zap_decision out = {.verdict = ZAP_MALFORMED, .status = "500", .text = "malformed"};
    enum keyring_role role;
    if (count != ZAP_FRAMES || !is(frames[0], "1.0") || !is(frames[5], "CURVE") || frames[6].len != KEY_BYTES ||
        !zmq_z85_encode(out.key, frames[6].at, KEY_BYTES))
        return out;
    const struct keyring_entry *entry = keyring_find(reader, out.key);
    out.status = "300";
    out.text = "not now";
    out.name = entry ? entry->name : NULL;
    if (!entry) {
        out.verdict = ZAP_UNKNOWN;
    } else if (!role_of(frames[2], &role) || entry->role != role) {
        out.verdict = ZAP_WRONG_ROLE;
    } else {
        out.verdict = ZAP_ACCEPTED;
        out.status = "200";
        out.text = "OK";
    }
    return out;
}
