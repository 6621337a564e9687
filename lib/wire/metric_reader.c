#include <errno.h>
#include <stdlib.h>

#include "lib/wire/json_reader.h"
#include "lib/wire/metric_memory.h"
#include "lib/wire/metric_message.h"
#include "lib/wire/metric_reader.h"
#include "lib/wire/msgpack_reader.h"

void reader_begin(struct metric_reader *self, struct text payload)
{
    self->start = self->at = (const unsigned char *)payload.at;
    self->end = self->start + payload.len;
    self->depth = 0;
    self->error = 0;
    self->why = NULL;
    keys_reset(&self->keys);
    self->plain_used = 0;
    self->plain = memory_trim(self->plain, &self->plain_room, 1);
    if (payload.len == 0) {
        reader_fail(self, "the payload is empty");
        return;
    }
    self->json = json_begins(*self->at);
    if (!self->json && !msgpack_begins(*self->at)) {
        reader_fail(self, "the first byte begins neither a JSON nor a MessagePack object or array");
    }
}

bool reader_fail(struct metric_reader *self, const char *why)
{
    if (self->error == 0) {
        self->error = -EBADMSG;
        self->why = why;
        self->where = (size_t)(self->at - self->start);
    }
    self->at = self->end; /* whatever is asked for next is not there */
    return false;
}

void reader_no_memory(struct metric_reader *self)
{
    self->error = -ENOMEM;
    self->at = self->end;
}

enum wire_kind reader_open(struct metric_reader *self, struct wire_value *out, enum wire_kind kind, uint32_t left)
{
    if (self->depth == METRIC_DEPTH_MAX) {
        reader_fail(self, "arrays and objects are nested too deep");
        return WIRE_NONE;
    }
    self->depth++;
    out->open = true;
    out->left = left;
    if (kind == WIRE_MAP) {
        keys_open(&self->keys, &out->keys);
    }
    return kind;
}

enum wire_kind reader_value(struct metric_reader *self, struct wire_value *out)
{
    out->open = false;
    return out->kind = self->json ? json_value(self, out) : msgpack_value(self, out);
}

bool reader_element(struct metric_reader *self, struct wire_value *array)
{
    if (self->json ? json_element(self, array) : msgpack_element(self, array)) {
        return true;
    }
    array->open = false;
    self->depth--;
    return false;
}

bool reader_member(struct metric_reader *self, struct wire_value *map, struct text *name)
{
    if (!(self->json ? json_member(self, map, name) : msgpack_member(self, map, name))) {
        keys_close(&self->keys, &map->keys);
        map->open = false;
        self->depth--;
        return false;
    }
    int rc = name->at == NULL ? 0 : keys_add(&self->keys, &map->keys, *name);
    if (rc == -EEXIST) {
        return reader_fail(self, "an object has the same member twice");
    }
    if (rc != 0) {
        reader_no_memory(self);
        return false;
    }
    return true;
}

/* As deep as the payload: METRIC_DEPTH_MAX at most. */
void reader_skip(struct metric_reader *self, struct wire_value *value)
{
    struct wire_value inner;
    struct text name;
    if (!value->open) {
        return;
    }
    if (value->kind == WIRE_ARRAY) {
        while (reader_element(self, value)) {
            reader_value(self, &inner);
            reader_skip(self, &inner);
        }
    } else {
        while (reader_member(self, value, &name)) {
            reader_value(self, &inner);
            reader_skip(self, &inner);
        }
    }
}

void reader_end(struct metric_reader *self)
{
    if (self->json) {
        json_space(self);
    }
    if (self->at != self->end) {
        reader_fail(self, "something follows the value");
    }
}

void reader_free(struct metric_reader *self)
{
    keys_free(&self->keys);
    free(self->plain);
    self->plain = NULL;
    self->plain_room = 0;
}
