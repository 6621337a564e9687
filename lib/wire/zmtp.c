#include "lib/wire/zmtp.h"

#define SIGNATURE_BYTES 10
#define MAJOR_AT 10
#define MECHANISM_AT 12
#define MECHANISM_BYTES 20
#define REST_BYTES (ZMTP_GREETING_BYTES - ZMTP_OPENING_BYTES) /* of our greeting, behind the opening */
#define MORE 0x01
#define LONG 0x02
#define COMMAND 0x04
#define COMMAND_MAX 8192 /* of a handshake, or a PING: a hundred properties would have room */
#define PING_CONTEXT_MAX 16

struct head {
    uint8_t flags;
    size_t bytes; /* of itself */
    uint64_t body;
};

static const uint8_t mechanism[MECHANISM_BYTES] = "NULL";

void zmtp_init(struct zmtp *self, size_t most)
{
    *self = (struct zmtp){.most = most, .stage = ZMTP_GREETING};
}

void zmtp_opening(uint8_t out[ZMTP_OPENING_BYTES])
{
    memset(out, 0, ZMTP_OPENING_BYTES);
    out[0] = 0xff;
    out[SIGNATURE_BYTES - 1] = 0x7f;
    out[MAJOR_AT] = 3;
}

/* A frame of fewer than 64 bytes. */
static size_t put_frame(uint8_t *out, uint8_t flags, const void *body, size_t len)
{
    out[0] = flags;
    out[1] = (uint8_t)len;
    memcpy(out + 2, body, len);
    return len + 2;
}

size_t zmtp_subscription(const char *prefix, uint8_t out[ZMTP_ANSWER_MAX])
{
    uint8_t body[ZMTP_ANSWER_MAX] = {1};
    size_t len = 0;
    for (; len < ZMTP_ANSWER_MAX - 4 && prefix[len]; len++)
        body[len + 1] = (uint8_t)prefix[len];
    return put_frame(out, 0, body, len + 1);
}

size_t zmtp_ready(uint8_t out[ZMTP_ANSWER_MAX])
{
    static const char ready[] = "\005READY\013Socket-Type\000\000\000\003SUB";
    return put_frame(out, COMMAND, ready, sizeof ready - 1);
}

static enum zmtp_what wait_for(struct zmtp *self, size_t need)
{
    self->need = need;
    return ZMTP_WAIT;
}

static enum zmtp_what end(struct zmtp_said *out, enum zmtp_fault fault)
{
    out->fault = fault;
    return ZMTP_END;
}

/* --- the handshake --- */

/* ZMTP 1.0 begins with a frame of an identity, mostly an empty one; a long one looks like a signature, but for the last
 * bit of it. */
static bool is_unversioned(const uint8_t *at, size_t len)
{
    if (at[0] == 0xff)
        return len >= SIGNATURE_BYTES && !(at[SIGNATURE_BYTES - 1] & 1);
    return at[0] == 1 && len > 1 && at[1] == 0;
}

static enum zmtp_what read_greeting(struct zmtp *self, const uint8_t *at, size_t len, size_t *used,
                                    struct zmtp_said *out)
{
    if (at[0] == 1 && len == 1)
        return wait_for(self, 2);
    if (is_unversioned(at, len))
        return end(out, ZMTP_OLD);
    if (at[0] != 0xff || (len >= SIGNATURE_BYTES && at[SIGNATURE_BYTES - 1] != 0x7f))
        return end(out, ZMTP_STRANGE);
    if (len > MAJOR_AT && at[MAJOR_AT] < 3)
        return end(out, ZMTP_OLD);
    if (len < ZMTP_GREETING_BYTES)
        return wait_for(self, ZMTP_GREETING_BYTES);
    if (memcmp(at + MECHANISM_AT, mechanism, sizeof mechanism) != 0)
        return end(out, ZMTP_MECHANISM);
    self->stage = ZMTP_HANDSHAKE;
    *used = ZMTP_GREETING_BYTES;
    memset(out->answer.at, 0, REST_BYTES);
    memcpy(out->answer.at + MECHANISM_AT - ZMTP_OPENING_BYTES, mechanism, sizeof mechanism);
    out->answer.len = REST_BYTES;
    return ZMTP_ANSWER;
}

/* A command's name: a byte that says how long it is, and as many. */
static bool is_command(const uint8_t *body, size_t len, const char *name)
{
    const size_t bytes = strlen(name);
    return len > bytes && body[0] == bytes && memcmp(body + 1, name, bytes) == 0;
}

static uint64_t big_endian(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static bool same_name(const uint8_t *at, size_t len, const char *name)
{
    if (len != strlen(name))
        return false;
    for (size_t i = 0; i < len; i++) {
        const uint8_t c = at[i] >= 'A' && at[i] <= 'Z' ? (uint8_t)(at[i] + ('a' - 'A')) : at[i];
        if (c != (uint8_t)name[i])
            return false;
    }
    return true;
}

/* Properties: a name behind a byte that says how long it is, a value behind four. */
static enum zmtp_what read_properties(struct zmtp *self, const uint8_t *at, size_t len, struct zmtp_said *out)
{
    bool publishes = false;
    while (len > 0) {
        const size_t name = at[0];
        if (name + 5 > len)
            return end(out, ZMTP_BROKEN);
        const uint64_t value = big_endian(at + 1 + name, 4);
        if (value > len - name - 5)
            return end(out, ZMTP_BROKEN);
        if (same_name(at + 1, name, "socket-type")) {
            const struct text type = {(const char *)at + name + 5, (size_t)value};
            publishes = text_is(type, "PUB") || text_is(type, "XPUB");
        }
        at += name + 5 + value;
        len -= name + 5 + (size_t)value;
    }
    if (!publishes)
        return end(out, ZMTP_SOCKET);
    self->stage = ZMTP_TRAFFIC;
    return ZMTP_OPEN;
}

/* --- frames --- */

/* How many bytes a head has is known from its first. False: there are not as many. */
static inline bool read_head(const uint8_t *at, size_t len, struct head *head)
{
    head->flags = at[0];
    head->bytes = head->flags & LONG ? 9 : 2;
    if (len < head->bytes)
        return false;
    head->body = head->flags & LONG ? big_endian(at + 1, 8) : at[1];
    return true;
}

/* A PONG gives back what the PING brought behind how long its sender lives without a word, which TCP finds out. */
static enum zmtp_what answer_ping(const uint8_t *body, size_t len, struct zmtp_said *out)
{
    enum { CONTEXT_AT = 1 + 4 + 2 };
    uint8_t pong[5 + PING_CONTEXT_MAX] = "\004PONG";
    if (len < CONTEXT_AT || len - CONTEXT_AT > PING_CONTEXT_MAX)
        return end(out, ZMTP_BROKEN);
    memcpy(pong + 5, body + CONTEXT_AT, len - CONTEXT_AT);
    out->answer.len = (uint8_t)put_frame(out->answer.at, COMMAND, pong, 5 + len - CONTEXT_AT);
    return ZMTP_ANSWER;
}

static enum zmtp_what read_handshake(struct zmtp *self, const uint8_t *at, size_t len, size_t *used,
                                     struct zmtp_said *out)
{
    struct head head;
    if (!(at[0] & COMMAND) || at[0] & (uint8_t) ~(COMMAND | LONG))
        return end(out, ZMTP_BROKEN);
    if (!read_head(at, len, &head))
        return wait_for(self, head.bytes);
    if (head.body > COMMAND_MAX)
        return end(out, ZMTP_BROKEN);
    if (len - head.bytes < head.body)
        return wait_for(self, head.bytes + (size_t)head.body);
    const uint8_t *body = at + head.bytes;
    *used = head.bytes + (size_t)head.body;
    if (is_command(body, (size_t)head.body, "ERROR"))
        return end(out, ZMTP_REFUSED);
    if (!is_command(body, (size_t)head.body, "READY"))
        return end(out, ZMTP_BROKEN);
    return read_properties(self, body + 6, (size_t)head.body - 6, out);
}

static struct text part(const struct zmtp *self, const uint8_t *at, uint32_t n)
{
    if (n >= self->parts)
        return (struct text){"", 0};
    return (struct text){(const char *)at + self->part_at[n], self->part_len[n]};
}

static enum zmtp_what too_large(const struct zmtp *self, const uint8_t *at, struct zmtp_said *out)
{
    out->topic = part(self, at, 0);
    return end(out, ZMTP_TOO_LARGE);
}

/* Commands come between messages, and from libzmq between the parts of one as well; one that nobody here knows is
 * passed over. `looked` stands behind it. */
static enum zmtp_what read_command(struct zmtp *self, const uint8_t *body, size_t len, size_t *used,
                                   struct zmtp_said *out)
{
    if (self->parts == 0) {
        *used = self->looked;
        self->looked = 0;
    }
    if (is_command(body, len, "PING"))
        return answer_ping(body, len, out);
    out->answer.len = 0;
    return ZMTP_ANSWER;
}

static enum zmtp_what read_traffic(struct zmtp *self, const uint8_t *at, size_t len, size_t *used,
                                   struct zmtp_said *out)
{
    for (;;) {
        struct head head;
        const size_t from = self->looked;
        if (len == from)
            return wait_for(self, from + 2);
        if (!read_head(at + from, len - from, &head))
            return wait_for(self, from + head.bytes);
        if (head.flags & (uint8_t) ~(MORE | LONG | COMMAND))
            return end(out, ZMTP_BROKEN);
        if (head.body > self->most || from + head.bytes + head.body > self->most + ZMTP_BESIDE)
            return too_large(self, at, out);
        const size_t body = from + head.bytes, next = body + (size_t)head.body;
        if (len < next)
            return wait_for(self, next);
        self->looked = next;
        if (head.flags & COMMAND)
            return read_command(self, at + body, (size_t)head.body, used, out);
        if (self->parts < 2) {
            self->part_at[self->parts] = body;
            self->part_len[self->parts] = (size_t)head.body;
        }
        self->parts++;
        if (!(head.flags & MORE))
            break;
    }
    out->topic = part(self, at, 0);
    out->payload = part(self, at, 1);
    out->parts = self->parts;
    *used = self->looked;
    self->looked = 0;
    self->parts = 0;
    return ZMTP_MESSAGE;
}

/* What nearly all messages are: a topic with a head of two bytes, and a payload, both here. False: nothing is said. */
static inline bool read_usual(const struct zmtp *self, const uint8_t *at, size_t len, size_t *used,
                              struct zmtp_said *out)
{
    if (self->looked > 0 || len < 2 || at[0] != MORE)
        return false;
    const size_t topic = at[1], second = 2 + topic;
    struct head head;
    if (len <= second || (at[second] & (uint8_t)~LONG) || !read_head(at + second, len - second, &head))
        return false;
    const size_t payload = second + head.bytes;
    if (topic > self->most || head.body > self->most || head.body > len - payload)
        return false;
    out->topic = (struct text){(const char *)at + 2, topic};
    out->payload = (struct text){(const char *)at + payload, (size_t)head.body};
    out->parts = 2;
    *used = payload + (size_t)head.body;
    return true;
}

enum zmtp_what zmtp_read(struct zmtp *self, const void *bytes, size_t len, size_t *used, struct zmtp_said *out)
{
    *used = 0;
    if (self->stage == ZMTP_TRAFFIC)
        return read_usual(self, bytes, len, used, out) ? ZMTP_MESSAGE : read_traffic(self, bytes, len, used, out);
    if (len == 0)
        return wait_for(self, 1);
    if (self->stage == ZMTP_GREETING)
        return read_greeting(self, bytes, len, used, out);
    return read_handshake(self, bytes, len, used, out);
}
