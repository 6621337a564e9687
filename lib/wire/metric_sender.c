#include "lib/wire/metric_sender.h"

#include "lib/wire/json_string.h"

static bool is_plain(struct text text)
{
    const unsigned char *at = (const unsigned char *)text.at, *end = at + text.len;
    return text.len == 0 || json_plain_end(at, end) == end;
}

bool metric_sender_put(struct metric_sender *self, struct text node, struct text boot)
{
    if (node.len + boot.len > METRIC_SENDER_BYTES)
        return false;
    *self = (struct metric_sender){
        .node_len = (uint8_t)node.len, .boot_len = (uint8_t)boot.len, .plain = is_plain(node) && is_plain(boot)};
    if (node.len)
        memcpy(self->bytes, node.at, node.len);
    if (boot.len)
        memcpy(self->bytes + METRIC_SENDER_BYTES - boot.len, boot.at, boot.len);
    return true;
}
