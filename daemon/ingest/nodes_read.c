/* What nodes say: bytes as they come, until they are messages. */
#include <errno.h>

#include "daemon/ingest/nodes_inside.h"

static const char does_not_read[] = "it does not read what is sent to it";

/* Many a PING may stand in what was read at once: the last is answered, for all of them. */
static void keep_answer(struct node *node, const struct zmtp_said *said)
{
    if (said->answer.len == 0)
        return;
    memcpy(node->answer, said->answer.at, said->answer.len);
    node->answer_len = said->answer.len;
}

static bool send_answer(struct node *node)
{
    const uint8_t len = node->answer_len;
    node->answer_len = 0;
    return len == 0 || node_send(node, node->answer, len);
}

static bool subscribe(const struct nodes *self, struct node *node)
{
    bool sent = send_answer(node) && node_send_ready(node);
    for (const char *const *prefix = self->options.prefixes; *prefix && sent; prefix++) {
        uint8_t subscription[ZMTP_ANSWER_MAX];
        sent = node_send(node, subscription, zmtp_subscription(*prefix, subscription));
    }
    return sent;
}

static const char *sentence_of(enum zmtp_fault fault)
{
    static const char *const sentences[ZMTP_FAULTS] = {
        [ZMTP_STRANGE] = "it does not speak ZMTP",
        [ZMTP_OLD] = "it speaks ZMTP of a version before 3.0",
        [ZMTP_MECHANISM] = "it wants another mechanism than NULL, and this endpoint has no key",
        [ZMTP_REFUSED] = "it refuses us",
        [ZMTP_SOCKET] = "its socket is neither PUB nor XPUB",
        [ZMTP_BROKEN] = "it sends bytes that are no ZMTP",
        [ZMTP_TOO_LARGE] = "a message of it is several times as large as metrics.max_message"};
    return sentences[fault];
}

static void fill(struct frame *frame, const struct zmtp_said *said)
{
    frame_borrow(frame, said->topic.at, said->topic.len, said->payload.at, said->payload.len);
    frame->parts = said->parts;
    frame->kind = FRAME_WRONG;
}

/* All has been read that was at hand, but for the beginning of a message. */
static void put_by(struct nodes *self, bool handed_out)
{
    struct node *node = self->at_hand;
    const size_t len = (size_t)(self->end - self->at);
    self->at_hand = NULL;
    if (self->in_place && handed_out)
        nodes_retire(self, node);
    if (node->left == 0)
        nodes_forget(self, node);
    else if (node_keep(node, self->at, len) < 0)
        nodes_end(self, node, "there is no memory for a message of it");
    else if (!send_answer(node))
        nodes_end(self, node, does_not_read);
}

static void end_broken(struct nodes *self, const struct zmtp_said *said, bool handed_out, struct frame *frames,
                       uint32_t *count)
{
    struct node *node = self->at_hand;
    if (said->fault == ZMTP_TOO_LARGE) {
        frame_borrow(&frames[*count], said->topic.at, said->topic.len, "", 0);
        frames[*count].parts = 2;
        frames[(*count)++].kind = FRAME_TOO_LARGE;
        handed_out = true;
    }
    if (self->in_place && handed_out)
        nodes_retire(self, node);
    nodes_end(self, node, sentence_of(said->fault));
}

/* Reads what is at hand; false: the frames are full, and there may be more. */
static bool read_on(struct nodes *self, struct frame *frames, uint32_t most, uint32_t *count)
{
    bool handed_out = false;
    while (*count < most) {
        struct node *node = self->at_hand;
        struct zmtp_said said;
        size_t used;
        const enum zmtp_what what = zmtp_read(&node->zmtp, self->at, (size_t)(self->end - self->at), &used, &said);
        self->at += used;
        switch (what) {
        case ZMTP_MESSAGE:
            fill(&frames[(*count)++], &said);
            handed_out = true;
            break;
        case ZMTP_WAIT:
            put_by(self, handed_out);
            return true;
        case ZMTP_ANSWER:
            keep_answer(node, &said);
            break;
        case ZMTP_OPEN:
            if (!subscribe(self, node)) {
                nodes_end(self, node, does_not_read);
                return true;
            }
            break;
        case ZMTP_END:
            end_broken(self, &said, handed_out, frames, count);
            return true;
        }
    }
    return false;
}

/* Where the bytes of a node go: into the room behind what its message has already, or into its own memory. */
static unsigned char *place_for(struct nodes *self, struct node *node, size_t *most)
{
    if (node->rest_len > 0 && node->zmtp.need > IN_PLACE_BYTES) {
        if (node_reserve(node) < 0)
            return NULL;
        const size_t room = node->rest_room - node->rest_len;
        *most = room < PIECE_BYTES ? room : PIECE_BYTES;
        return node->rest;
    }
    unsigned char *to = self->room + self->filled;
    if (node->rest_len > 0)
        memcpy(to, node->rest, node->rest_len);
    *most = PIECE_BYTES - node->rest_len;
    return to;
}

static void receive(struct nodes *self, struct node *node)
{
    size_t most;
    unsigned char *to = place_for(self, node, &most);
    if (!to) {
        nodes_end(self, node, "there is no memory for a message of it");
        return;
    }
    const long got = node_receive(node, to + node->rest_len, most);
    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        nodes_forget(self, node);
        return;
    }
    self->cut = self->cut || (size_t)got == most;
    self->at_hand = node;
    self->in_place = to == node->rest;
    self->at = to;
    self->end = to + node->rest_len + (size_t)got;
    if (self->in_place)
        node->rest_len += (size_t)got;
    else
        self->filled += node->rest_len + (size_t)got;
}

static void ask_who_is_ready(struct nodes *self)
{
    self->ready_at = 0;
    self->ready_count = epoll_wait(self->epoll, self->ready, EVENTS, 0);
}

static void begin(struct nodes *self, int64_t now_ns)
{
    nodes_free_retired(self);
    if (!self->at_hand)
        self->filled = 0;
    self->cut = false;
    if (now_ns - self->looked_ns >= LOOK_NS)
        nodes_look_around(self, now_ns);
}

uint32_t nodes_take(struct nodes *self, struct frame *frames, uint32_t most, int64_t now_ns)
{
    uint32_t count = 0;
    bool asked = false;
    begin(self, now_ns);
    for (;;) {
        if (self->at_hand && !read_on(self, frames, most, &count))
            return count;
        if (self->ready_at >= self->ready_count) {
            if (asked)
                return count;
            ask_who_is_ready(self);
            asked = true;
        }
        if (self->ready_at >= self->ready_count || self->filled + PIECE_BYTES > ROOM_BYTES)
            return count;
        struct node *node = self->ready[self->ready_at++].data.ptr;
        if (node)
            receive(self, node);
        else
            nodes_let_in(self);
    }
}
