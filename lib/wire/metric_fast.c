#include "lib/wire/metric_fast.h"


#define YEAR_10000_S 253402300800.0

/* Times before 1970 are taken by the long way. */
bool fast_time(struct fast_event *out, double seconds)
{
    if (!(seconds >= 0 && seconds <= out->latest_s && seconds < YEAR_10000_S))
        return false;
    out->event->timestamp_s = seconds;
    return true;
}

bool fast_other_text(struct metric_decoder *self, struct fast_event *out, enum member member, struct text text)
{
    double seconds;
    switch (member) {
    case MEMBER_NODE:
        out->node = fast_said(text.at, text.len);
        return text.len <= METRIC_NODE_MAX;
    case MEMBER_BOOT:
        out->boot = fast_said(text.at, text.len);
        return text.len <= METRIC_NODE_MAX;
    case MEMBER_TIMESTAMP:
        return rfc3339_parse_next(text, &self->day, &seconds) == 0 && fast_time(out, seconds);
    case MEMBER_MODEL:
        if (self->model == NULL)
            return event_model(self, text, &out->event->model) == FINE;
        out->ignored++; /* the topic names the model */
        return true;
    case MEMBER_METRIC:
        out->ignored++;
        return true;
    case MEMBER_SEQ:
    case MEMBER_N:
    case MEMBER_RATIO:
    case MEMBER_NOT_NEGATIVE:
    case MEMBER_MISNAMED:
        break;
    }
    return false;
}

void fast_name(struct metric_decoder *self, const struct shape *shape, struct metric *metrics)
{
    const size_t at = self->event_count;
    for (const struct shape_member *member = shape->at; member->value != SHAPE_END; member++) {
        if (!member->metric)
            continue;
        struct metric *metric = shape_metric(member, metrics);
        metric->name = (struct text){(const char *)shape->bytes + member->at + member->name_at, member->name_len};
        metric->key = member->key;
        metric->kind = METRIC_NUMBER;
    }
    if (at > self->named_count || at >= FAST_NAMED_MAX)
        return;
    self->named[at] = shape->serial;
    self->named_count = at + 1; /* what stands behind it may be written over */
}

static bool carries(const struct fast_event *event, enum member member)
{
    return (event->carried >> member & 1) != 0;
}

bool fast_read(struct metric_decoder *self, struct wire_value *map, struct event_draft *draft)
{
    struct metric_reader *reader = &self->reader;
    struct metric_event event = draft->event;
    struct fast_event fast = {.event = &event,
                              .metrics = draft->metrics,
                              .latest_s = self->latest_s,
                              .told = self->fast.told,
                              .node = fast_said("", 0),
                              .boot = fast_said("", 0)};
    self->known.stamp++;
    const unsigned char *end = reader->json ? fast_json(self, &fast) : fast_msgpack(self, &fast, map->left);
    if (end == NULL || (self->model == NULL && !carries(&fast, MEMBER_MODEL)))
        return false;
    reader->at = end;
    reader->depth--;
    keys_close(&reader->keys, &map->keys);
    map->open = false;
    if (!self->first_done)
        fast_sender(self, &fast);
    self->ignored += fast.ignored;
    memory_arena_take(&self->metrics, event.metric_count * sizeof *draft->metrics);
    event_append(self, &event);
    return true;
}
