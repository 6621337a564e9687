#include <math.h>

#include "lib/wire/metric_decoder.h"
#include "lib/wire/metric_fast.h"

void event_drop(struct metric_decoder *self, enum mistake mistake, uint32_t place)
{
    drop_note(&self->drops, mistake, place, NULL, NULL);
    drop_count(&self->drops, mistake, 1);
}

void event_append(struct metric_decoder *self, const struct metric_event *event)
{
    if (self->event_count == self->event_room) {
        struct metric_event *events =
            memory_grow(self->events, &self->event_room, self->event_count + 1, sizeof *events);
        if (events == NULL) {
            reader_no_memory(&self->reader);
            return;
        }
        self->events = events;
    }
    self->events[self->event_count++] = *event;
}

enum mistake event_model(struct metric_decoder *self, struct text text, const struct model_id **out)
{
    const struct model_id *before = self->event_count ? self->events[self->event_count - 1].model : NULL;
    if (before && before->whole.len == text.len && text_same_few(before->whole.at, text.at, text.len)) {
        *out = before;
        return FINE;
    }
    if (self->event_count == 0)
        self->ids.at = self->ids_first;
    const unsigned char *end = self->ids.end;
    struct model_id *id = memory_arena_room(&self->ids, sizeof *id);
    if (id == NULL) {
        reader_no_memory(&self->reader);
        return MISTAKE_MODEL_ID;
    }
    self->untidy |= self->ids.end != end;
    if (model_id_parse(id, text) != 0)
        return MISTAKE_MODEL_ID;
    memory_arena_take(&self->ids, sizeof *id);
    *out = id;
    return FINE;
}

/* The first mistake decides; what follows it is read all the same, for the payload must be well formed to its end. */
static void spoil(struct metric_decoder *self, struct event_draft *draft, enum mistake mistake, const struct text *name,
                  const struct wire_value *value)
{
    if (draft->mistake == FINE) {
        draft->mistake = mistake;
        drop_note(&self->drops, mistake, draft->place, name, value);
    }
}

static struct metric *next_metric(struct metric_decoder *self, struct event_draft *draft, struct text name)
{
    struct metric *metric = draft->metrics + draft->event.metric_count;
    if (draft->event.metric_count + self->columns.metric_count >= METRIC_EVENT_MAX) {
        spoil(self, draft, MISTAKE_METRIC_COUNT, &name, NULL);
        return NULL;
    }
    metric->name = name;
    metric->key = 0;
    return metric;
}

/* A metric that is a number or an object. */
static enum mistake take_metric(struct metric_decoder *self, struct event_draft *draft, enum member member,
                                struct text name, struct wire_value *value)
{
    struct metric *metric = next_metric(self, draft, name);
    if (metric == NULL) {
        return draft->mistake;
    }
    enum mistake mistake;
    if (value->kind == WIRE_MAP && member == MEMBER_METRIC) {
        struct wire_value culprit = *value;
        mistake = bins_read(self, value, metric, &culprit);
        if (mistake != FINE) {
            spoil(self, draft, mistake, &name, &culprit);
        }
    } else {
        metric->kind = METRIC_NUMBER;
        mistake = rule_number(member, value, &metric->number);
    }
    draft->event.metric_count += mistake == FINE;
    return mistake;
}

/* node, boot and seq of a message's first event are the message's; in later ones they are only looked at. */
static enum mistake take_sender(struct metric_decoder *self, enum member member, const struct wire_value *value)
{
    struct metric_message *message = &self->message;
    struct text text = {0};
    uint64_t seq = 0;
    char digits[RULE_BOOT_DIGITS];
    enum mistake mistake;
    if (member == MEMBER_NODE) {
        mistake = rule_node(value, &text);
    } else if (member == MEMBER_BOOT) {
        mistake = rule_boot(value, self->first_done ? digits : self->boot, &text);
    } else {
        mistake = rule_integer(value, &seq);
    }
    if (mistake != FINE || self->first_done) {
        return mistake;
    }
    if (member == MEMBER_NODE) {
        message->node = text;
    } else if (member == MEMBER_BOOT) {
        message->boot = text;
    } else {
        message->seq = seq;
        message->has_seq = true;
    }
    return FINE;
}

static enum mistake take_member(struct metric_decoder *self, struct event_draft *draft, enum member member,
                                struct text name, struct wire_value *value)
{
    switch (member) {
    case MEMBER_TIMESTAMP:
        return rule_time(value, self->latest_s, &draft->event.timestamp_s);
    case MEMBER_NODE:
    case MEMBER_BOOT:
    case MEMBER_SEQ:
        return take_sender(self, member, value);
    case MEMBER_N:
        return rule_count(value, &draft->event.n);
    case MEMBER_MODEL:
        draft->has_model = true;
        return value->kind == WIRE_STRING ? event_model(self, value->text, &draft->event.model) : MISTAKE_MODEL_KIND;
    case MEMBER_RATIO:
    case MEMBER_NOT_NEGATIVE:
        return take_metric(self, draft, member, name, value);
    case MEMBER_METRIC:
    case MEMBER_MISNAMED:
        if (value->kind == WIRE_STRING || value->kind == WIRE_BOOLEAN) {
            self->ignored++;
            return FINE;
        }
        return member == MEMBER_METRIC ? take_metric(self, draft, member, name, value) : MISTAKE_METRIC_NAME;
    }
    return FINE;
}

/* Members that may be an array in a columnar batch. */
static bool may_be_column(enum member member)
{
    return member != MEMBER_NODE && member != MEMBER_BOOT && member != MEMBER_SEQ && member != MEMBER_MODEL &&
           member != MEMBER_MISNAMED;
}

/* What a recorder has added. False: the member is the sender's. */
static bool take_recorded(struct metric_decoder *self, struct text name, const struct wire_value *value,
                          enum mistake *mistake_p)
{
    if (text_is(name, "received_at")) {
        *mistake_p = rule_time(value, INFINITY, &self->message.received_s);
        return true;
    }
    if (!text_is(name, "taken") || value->kind != WIRE_STRING)
        return false;
    self->message.taken = value->text;
    *mistake_p = FINE;
    return true;
}

static void read_member(struct metric_decoder *self, struct event_draft *draft, struct text name, bool may_be_columns)
{
    struct wire_value value;
    if (reader_value(&self->reader, &value) == WIRE_NONE) {
        return;
    }
    enum mistake mistake = MISTAKE_MEMBER_NAME;
    struct text *named = NULL;
    if (name.at != NULL) {
        named = &name;
        enum member member = member_of(name, self->model == NULL);
        if (value.kind == WIRE_NULL) {
            return;
        }
        if (value.kind == WIRE_ARRAY && may_be_columns && may_be_column(member)) {
            columns_read(self, member, name, &value, draft);
            return;
        }
        if (!self->options.recorded || !take_recorded(self, name, &value, &mistake)) {
            mistake = take_member(self, draft, member, name, &value);
        }
    }
    if (mistake != FINE) {
        spoil(self, draft, mistake, named, &value);
        reader_skip(&self->reader, &value);
    }
}

static void finish(struct metric_decoder *self, struct event_draft *draft)
{
    if (self->model == NULL && !draft->has_model) {
        spoil(self, draft, MISTAKE_MODEL_KIND, NULL, NULL);
    }
    if (self->columns.arrays > 0) {
        columns_finish(self, draft);
        return;
    }
    if (draft->mistake != FINE) {
        drop_count(&self->drops, draft->mistake, 1);
        return;
    }
    memory_arena_take(&self->metrics, draft->event.metric_count * sizeof *draft->metrics);
    event_append(self, &draft->event);
}

void event_read(struct metric_decoder *self, struct wire_value *map, uint32_t place, bool may_be_columns)
{
    struct event_draft draft = {.mistake = FINE, .place = place};
    draft.event.timestamp_s = (double)NAN;
    draft.event.n = 1;
    if (self->model != NULL) {
        draft.event.model = self->model;
    }
    draft.metrics = memory_arena_room(&self->metrics, METRIC_EVENT_MAX * sizeof *draft.metrics);
    draft.event.metrics = draft.metrics;
    if (draft.metrics == NULL) {
        reader_no_memory(&self->reader);
        return;
    }
    if (!self->options.careful && !self->options.recorded && fast_read(self, map, &draft)) {
        return;
    }
    columns_begin(&self->columns);
    struct text name;
    while (reader_member(&self->reader, map, &name)) {
        read_member(self, &draft, name, may_be_columns);
    }
    self->first_done = true;
    if (self->reader.error == 0) {
        finish(self, &draft);
    }
}
