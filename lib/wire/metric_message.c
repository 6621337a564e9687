#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/wire/metric_decoder.h"
#include "lib/wire/utf8.h"

#define PAYLOAD_MAX INT32_MAX /* bytes: what is counted in a message fits 32 bits */

int metric_decoder_new(struct metric_decoder **self_p, const struct metric_options *options)
{
    assert(options->max_future_s >= 0);
    *self_p = NULL;
    struct metric_decoder *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return -ENOMEM;
    }
    self->options = *options;
    self->reader.keys.secret = options->secret;
    self->untidy = true;
    self->slow = options->careful || options->recorded;
    *self_p = self;
    return 0;
}

void metric_decoder_allow(struct metric_decoder *self, double max_future_s)
{
    assert(max_future_s >= 0);
    self->options.max_future_s = max_future_s;
}

void metric_decoder_destroy(struct metric_decoder **self_p)
{
    struct metric_decoder *self = *self_p;
    if (self == NULL) {
        return;
    }
    reader_free(&self->reader);
    memory_arena_free(&self->metrics);
    memory_arena_free(&self->bins);
    memory_arena_free(&self->ids);
    columns_free(&self->columns);
    shapes_free(&self->shapes);
    free(self->events);
    free(self->topics);
    free(self);
    *self_p = NULL;
}

/* What a message needed that went the long way, or much of: given back or made free. */
void decoder_tidy(struct metric_decoder *self)
{
    struct metric_columns *columns = &self->columns;
    self->events = memory_trim(self->events, &self->event_room, sizeof *self->events);
    columns->cells = memory_trim(columns->cells, &columns->cell_room, sizeof *columns->cells);
    columns->mistakes = memory_trim(columns->mistakes, &columns->mistake_room, sizeof *columns->mistakes);
    memory_arena_reset(&self->metrics);
    memory_arena_reset(&self->bins);
    memory_arena_reset(&self->ids);
    self->metrics_first = self->metrics.at;
    self->ids_first = self->ids.at;
    drop_begin(&self->drops);
    drop_end(&self->drops, self->message.dropped, self->message.detail);
    self->message.received_s = (double)NAN;
    self->message.taken = (struct text){.at = "", .len = 0};
    known_refresh(&self->known);
    shapes_forget(&self->shapes);
    self->named_count = 0;
    self->untidy = false;
}

static void begin(struct metric_decoder *self, const struct model_id *model, double now_s)
{
    self->untidy = true;
    decoder_begin(self, model, now_s);
    self->untidy = true;
    self->message.node = self->message.boot = METRIC_NOT_SAID;
    self->message.same_sender = self->message.has_seq = false;
    self->message.seq = 0;
}

static void read_batch(struct metric_decoder *self, struct wire_value *array)
{
    struct wire_value value;
    uint32_t place = 0;
    while (reader_element(&self->reader, array)) {
        if (reader_value(&self->reader, &value) == WIRE_NONE) {
            return;
        }
        place++;
        if (value.kind == WIRE_MAP) {
            event_read(self, &value, place, false);
            continue;
        }
        self->first_done = true;
        drop_note(&self->drops, MISTAKE_EVENT_KIND, place, NULL, &value);
        drop_count(&self->drops, MISTAKE_EVENT_KIND, 1);
        reader_skip(&self->reader, &value);
    }
}

static void read_payload(struct metric_decoder *self, struct text payload)
{
    struct wire_value value;
    reader_begin(&self->reader, payload);
    switch (reader_value(&self->reader, &value)) {
    case WIRE_NONE:
        return;
    case WIRE_MAP:
        event_read(self, &value, 0, true);
        break;
    case WIRE_ARRAY:
        read_batch(self, &value);
        break;
    case WIRE_NULL:
    case WIRE_BOOLEAN:
    case WIRE_NUMBER:
    case WIRE_STRING:
    case WIRE_TIME:
    case WIRE_BINARY:
        event_drop(self, MISTAKE_PAYLOAD_KIND, 0);
        break;
    }
    reader_end(&self->reader);
}

int decoder_read(struct metric_decoder *self, const struct model_id *model, struct text payload, double now_s)
{
    struct metric_message *message = &self->message;
    begin(self, model, now_s);
    if (payload.len <= PAYLOAD_MAX) {
        read_payload(self, payload);
    } else {
        self->reader.error = 0;
        event_drop(self, MISTAKE_PAYLOAD_SIZE, 0);
    }
    if (self->reader.error == -ENOMEM) {
        return -ENOMEM;
    }
    if (self->reader.error == 0) {
        drop_end(&self->drops, message->dropped, message->detail);
        return 0;
    }
    begin(self, model, now_s);
    drop_end_syntax(&self->drops, &self->reader, message->dropped, message->detail);
    self->drops.any = true;
    return 0;
}

int metric_decode(struct metric_decoder *self, const struct model_id *model, struct text payload, double now_s,
                  const struct metric_message **out)
{
    return metric_decode_like(self, model, payload, now_s, NULL, &self->shapes.last, out);
}

static bool cut(struct text *topic, const char *prefix)
{
    size_t bytes = strlen(prefix);
    if (topic->len < bytes || memcmp(topic->at, prefix, bytes) != 0) {
        return false;
    }
    topic->at += bytes;
    topic->len -= bytes;
    return true;
}

static bool names_node(struct text text)
{
    return text.len >= 1 && text.len <= METRIC_NODE_MAX && utf8_valid(text);
}

enum metric_topic metric_topic_parse(struct text topic, struct model_id *model, struct text *node)
{
    enum metric_topic kind = TOPIC_INVALID;
    if (cut(&topic, "metrics/")) {
        return model_id_parse(model, topic) == 0 ? TOPIC_METRICS : TOPIC_INVALID;
    }
    if (cut(&topic, "batch/")) {
        kind = TOPIC_BATCH;
    } else if (cut(&topic, "beacon/")) {
        kind = TOPIC_BEACON;
    }
    if (kind == TOPIC_INVALID || !names_node(topic)) {
        return TOPIC_INVALID;
    }
    *node = topic;
    return kind;
}
