#include <errno.h>

#include "lib/wire/metric_decoder.h"

static void spoil(struct metric_decoder *self, enum mistake *first, enum mistake mistake, const struct text *name,
                  const struct wire_value *value)
{
    if (*first == FINE && mistake != FINE) {
        *first = mistake;
        drop_note(&self->drops, mistake, 0, name, value);
    }
}

static void append(struct metric_decoder *self, struct text topic, uint64_t seq)
{
    uint32_t count = self->beacon.topic_count;
    if (count == self->topic_room) {
        struct beacon_topic *topics = memory_grow(self->topics, &self->topic_room, (size_t)count + 1, sizeof *topics);
        if (topics == NULL) {
            reader_no_memory(&self->reader);
            return;
        }
        self->topics = topics;
    }
    self->topics[count] = (struct beacon_topic){.topic = topic, .seq = seq};
    self->beacon.topic_count++;
}

static enum mistake topic_mistake(struct text name, const struct wire_value *value, uint64_t *seq)
{
    struct model_id model;
    if (name.at == NULL) {
        return MISTAKE_MEMBER_NAME;
    }
    if (!text_is(name, "batch") && model_id_parse(&model, name) != 0) {
        return MISTAKE_TOPIC;
    }
    return rule_integer(value, seq);
}

/* Each topic stands for itself: one that breaks a rule is dropped alone. */
static void read_topics(struct metric_decoder *self, struct wire_value *map)
{
    struct wire_value value;
    struct text name;
    while (reader_member(&self->reader, map, &name)) {
        if (reader_value(&self->reader, &value) == WIRE_NONE) {
            return;
        }
        uint64_t seq = 0;
        if (value.kind == WIRE_NULL) {
            continue;
        }
        enum mistake mistake = topic_mistake(name, &value, &seq);
        if (mistake == FINE) {
            append(self, name, seq);
            continue;
        }
        drop_note(&self->drops, mistake, 0, name.at != NULL ? &name : NULL, &value);
        drop_count(&self->drops, mistake, 1);
        reader_skip(&self->reader, &value);
    }
}

/* A beacon may grow members that this version does not know. */
static void read_member(struct metric_decoder *self, struct text name, struct wire_value *value, enum mistake *first)
{
    struct beacon_message *beacon = &self->beacon;
    bool topics = name.at != NULL && text_is(name, "topics");
    if (value->kind == WIRE_NULL || name.at == NULL) {
        reader_skip(&self->reader, value);
    } else if (text_is(name, "node")) {
        spoil(self, first, rule_node(value, &beacon->node), &name, value);
    } else if (text_is(name, "boot")) {
        spoil(self, first, rule_boot(value, self->boot, &beacon->boot), &name, value);
    } else if (topics && value->kind == WIRE_MAP) {
        read_topics(self, value);
        return;
    } else if (topics) {
        spoil(self, first, MISTAKE_TOPICS_KIND, &name, value);
    }
    reader_skip(&self->reader, value);
}

static enum mistake read_beacon(struct metric_decoder *self)
{
    enum mistake first = FINE;
    struct wire_value map, value;
    struct text name;
    bool topics = false;
    if (reader_value(&self->reader, &map) != WIRE_MAP) {
        spoil(self, &first, MISTAKE_TOPICS_KIND, NULL, &map);
        reader_skip(&self->reader, &map);
        return first;
    }
    while (reader_member(&self->reader, &map, &name)) {
        if (reader_value(&self->reader, &value) != WIRE_NONE) {
            topics = topics || (name.at != NULL && text_is(name, "topics") && value.kind != WIRE_NULL);
            read_member(self, name, &value, &first);
        }
    }
    if (!topics) { /* it says nothing, and whoever wrote it meant something */
        spoil(self, &first, MISTAKE_TOPICS_MISSING, NULL, &map);
    }
    return first;
}

static void begin(struct metric_decoder *self)
{
    self->beacon.node = self->beacon.boot = (struct text){.at = "", .len = 0};
    self->beacon.topic_count = 0;
    self->topics = memory_trim(self->topics, &self->topic_room, sizeof *self->topics);
    drop_begin(&self->drops);
    self->untidy = true;
}

int beacon_decode(struct metric_decoder *self, struct text payload, const struct beacon_message **out)
{
    struct beacon_message *beacon = &self->beacon;
    *out = NULL;
    begin(self);
    reader_begin(&self->reader, payload);
    enum mistake mistake = read_beacon(self);
    reader_end(&self->reader);
    if (self->reader.error == -ENOMEM) {
        return -ENOMEM;
    }
    if (mistake != FINE) {
        begin(self);
        drop_count(&self->drops, mistake, 1);
    }
    if (self->reader.error != 0) {
        begin(self);
        drop_end_syntax(&self->drops, &self->reader, beacon->dropped, beacon->detail);
    } else {
        drop_end(&self->drops, beacon->dropped, beacon->detail);
    }
    beacon->topics = self->topics;
    *out = beacon;
    return 0;
}
