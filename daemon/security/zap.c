#include "daemon/security/zap.h"

#include <string.h>

#define KEY_BYTES 32

static bool is(struct zap_frame frame, const char *text)
{
    return frame.len == strlen(text) && memcmp(frame.at, text, frame.len) == 0;
}

/* Domains: "metrics", "jobs"; with a project behind it, "jobs/shop". */
static bool may_enter(struct zap_frame domain, const struct keyring_entry *entry)
{
    static const struct {
        const char *domain;
        enum keyring_role role;
        bool asks; /* for each message: a key that is for some projects may come in here */
    } doors[] = {{"metrics", KEYRING_NODE, true},
                 {"jobs", KEYRING_TRAINER, false},
                 {"feedback", KEYRING_TRAINER, true},
                 {"events", KEYRING_OBSERVER, false}};
    const char *slash = memchr(domain.at, '/', domain.len), *project = slash ? slash + 1 : NULL;
    size_t len = slash ? domain.len - (size_t)(project - (const char *)domain.at) : 0;
    if (slash)
        domain.len = (size_t)(slash - (const char *)domain.at);
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
        if (!is(domain, doors[i].domain))
            continue;
        if (doors[i].asks)
            return !slash && entry->role == doors[i].role;
        return keyring_enters(entry, doors[i].role, project, len);
    }
    return false;
}

struct zap_decision zap_decide(const struct zap_frame *frames, uint32_t count, struct keyring_reader *reader)
{
    struct zap_decision out = {.verdict = ZAP_MALFORMED, .status = "500", .text = "malformed"};
    if (count != ZAP_FRAMES || !is(frames[0], "1.0") || !is(frames[5], "CURVE") || frames[6].len != KEY_BYTES ||
        !zmq_z85_encode(out.key, frames[6].at, KEY_BYTES))
        return out;
    const struct keyring_entry *entry = keyring_find(reader, out.key);
    out.status = "300";
    out.text = "not now";
    out.name = entry ? entry->name : NULL;
    if (!entry) {
        out.verdict = ZAP_UNKNOWN;
    } else if (!may_enter(frames[2], entry)) {
        out.verdict = ZAP_WRONG_ROLE;
    } else {
        out.verdict = ZAP_ACCEPTED;
        out.status = "200";
        out.text = "OK";
    }
    return out;
}
