#include <math.h>

#include "lib/wire/metric_fast.h"
#include "lib/wire/metric_shape_read.h"

#define PAYLOAD_MIN 16 /* bytes: the readers of shapes look at eight at once */

/* There is no more room among the events, or among the metrics. */
static __attribute__((noinline)) struct metric *make_room(struct metric_decoder *self)
{
    self->untidy = true;
    if (self->event_count == self->event_room) {
        struct metric_event *events =
            memory_grow(self->events, &self->event_room, self->event_count + 1, sizeof *events);
        if (events == NULL)
            return NULL;
        self->events = events;
    }
    return memory_arena_room(&self->metrics, METRIC_EVENT_MAX * sizeof(struct metric));
}

/* Where the next event can be written, with what all have in common. */
static inline bool open_event(struct metric_decoder *self)
{
    struct metric *metrics = (struct metric *)(void *)self->metrics.at;
    if (__builtin_expect(self->event_count == self->event_room ||
                             self->metrics.end - self->metrics.at < (ptrdiff_t)(METRIC_EVENT_MAX * sizeof *metrics),
                         0)) {
        metrics = make_room(self);
        if (metrics == NULL)
            return false;
    }
    struct metric_event *event = &self->events[self->event_count];
    event->model = self->model;
    event->timestamp_s = (double)NAN;
    event->n = 1;
    event->metrics = metrics;
    self->fast.event = event;
    self->fast.metrics = metrics;
    self->fast.ignored = 0;
    return true;
}

static inline void forget_sender(struct fast_event *event)
{
    event->node = fast_said("", 0); /* by itself: it would be copied from the other */
    event->boot = fast_said("", 0);
    event->seq = 0;
    event->same = 0;
}

/* The event was found good, and counts. */
static inline void close_event(struct metric_decoder *self)
{
    self->ignored += self->fast.ignored;
    memory_arena_take(&self->metrics, self->fast.event->metric_count * sizeof *self->fast.metrics);
    self->event_count++;
}

/* Stands for the names of an event and, loosely, their order. */
static uint64_t hash_of(const struct fast_event *event)
{
    uint64_t hash = event->carried + event->event->metric_count;
    for (uint32_t i = 0; i < event->event->metric_count; i++)
        hash = (hash ^ event->metrics[i].key) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* Behind the head of a map of MessagePack, with the number of its members. */
static const unsigned char *open_map(const unsigned char *at, const unsigned char *end, uint32_t *members)
{
    if ((*at & 0xf0) == 0x80) {
        *members = *at & 0xf;
        return at + 1;
    }
    if (*at != 0xde || end - at < 3)
        return NULL;
    *members = (uint32_t)at[1] << 8 | at[2];
    return at + 3;
}

/* Reads an event of no known shape, name by name. */
static const unsigned char *read_names(struct metric_decoder *self, const unsigned char *at, const unsigned char *end,
                                       const struct shape *tried, uint16_t *place, struct fast_event *out)
{
    struct metric_reader *reader = &self->reader;
    uint32_t members = 0;
    const bool json = *at == '{';
    reader->end = end;
    reader->at = json ? at + 1 : open_map(at, end, &members);
    if (reader->at == NULL)
        return NULL;
    if (self->named_count > self->event_count)
        self->named_count = self->event_count;
    self->untidy |= self->shapes.retired != NULL;
    known_refresh(&self->known);
    self->known.stamp++;
    const unsigned char *after = json ? fast_json(self, out) : fast_msgpack(self, out, members);
    if (after != NULL) {
        const uint16_t found = shape_learn(&self->shapes, &self->options.secret, json, at, after, hash_of(out), tried);
        *place = found ? found : *place;
    }
    return after;
}

/* The event at `at` is not of the shape that was tried. */
static __attribute__((noinline)) const unsigned char *read_other(struct metric_decoder *self, const unsigned char *at,
                                                                 const unsigned char *end, uint16_t *place)
{
    struct fast_event *event = &self->fast;
    if (!open_event(self))
        return NULL;
    forget_sender(event);
    event->carried = event->event->shape = 0;
    event->event->metric_count = 0;
    return read_names(self, at, end, shape_at(&self->shapes, *place), place, event);
}

/* Reads the event at `at` and returns where it ends; *place: where its shape is looked for, and was found. Its first byte
 * tells the formats apart, and so do those of their shapes. */
EACH_FORMAT const unsigned char *read_this(struct metric_decoder *self, const unsigned char *at,
                                           const unsigned char *end, uint16_t *place, const bool json)
{
    struct fast_event *event = &self->fast;
    if (!open_event(self))
        return NULL;
    struct shape *shape = shape_at(&self->shapes, *place);
    const unsigned char *after = NULL;
    if (shape)
        after = json ? shape_json(self, shape, at, end, event) : shape_msgpack(self, shape, at, end, event);
    if (after == NULL)
        after = read_other(self, at, end, place);
    if (after == NULL || (self->model == NULL && !(event->carried >> MEMBER_MODEL & 1)))
        return NULL;
    if (!self->first_done)
        fast_sender(self, event);
    close_event(self);
    return after;
}

static __attribute__((noinline)) const unsigned char *read_event(struct metric_decoder *self, const unsigned char *at,
                                                                 const unsigned char *end, uint16_t *place)
{
    return *at == '{' ? read_this(self, at, end, place, true) : read_this(self, at, end, place, false);
}

/* A row of a batch; *place: the shape of the row before, and of this one. The one that follows is likely to look as
 * that which followed a row like it the last time. */
static const unsigned char *read_row(struct metric_decoder *self, const unsigned char *at, const unsigned char *end,
                                     uint16_t *place)
{
    const uint16_t before = *place;
    const struct shape *shape = shape_at(&self->shapes, before);
    if (shape && shape->next)
        *place = shape->next;
    const uint16_t expected = *place;
    const unsigned char *after = read_event(self, at, end, place);
    struct shape *followed = shape_at(&self->shapes, before);
    if (*place != expected && followed)
        followed->next = *place;
    return after;
}

/* The shape that the next row is likely to have, where it is that of the row before; NULL: it is not. */
static struct shape *shape_again(const struct metric_decoder *self, uint16_t place)
{
    struct shape *shape = shape_at(&self->shapes, place);
    if (!shape || (shape->next && shape->next != place))
        return NULL;
    return self->model != NULL || (shape->carried >> MEMBER_MODEL & 1) ? shape : NULL;
}

/* Rows that look like the one before, as in most batches all do but the first: returns where they end. */
static const unsigned char *read_alike_json(struct metric_decoder *self, const unsigned char *at,
                                            const unsigned char *end, uint16_t place)
{
    struct shape *shape = shape_again(self, place);
    while (shape && end - at > 2 && at[0] == ',' && at[1] == '{' && open_event(self)) {
        const unsigned char *after = shape_json(self, shape, at + 1, end, &self->fast);
        if (after == NULL)
            break;
        close_event(self);
        at = after;
    }
    return at;
}

/* The same for at most `rows` of them; *read_p: how many they were. */
static const unsigned char *read_alike_msgpack(struct metric_decoder *self, const unsigned char *at,
                                               const unsigned char *end, uint16_t place, uint32_t rows,
                                               uint32_t *read_p)
{
    struct shape *shape = shape_again(self, place);
    uint32_t row = 0;
    for (; shape && row < rows && open_event(self); row++) {
        const unsigned char *after = shape_msgpack(self, shape, at, end, &self->fast);
        if (after == NULL)
            break;
        close_event(self);
        at = after;
    }
    *read_p = row;
    return at;
}

static const unsigned char *behind_space(const unsigned char *at, const unsigned char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* A batch; the last byte before `end` is a bracket. */
static bool read_json(struct metric_decoder *self, const unsigned char *at, const unsigned char *end, uint16_t *shape)
{
    at = behind_space(at + 1, end);
    uint16_t place = *shape;
    for (bool first = true; at < end && *at == '{'; first = false) {
        at = first ? read_event(self, at, end, &place) : read_row(self, at, end, &place);
        if (at == NULL)
            return false;
        if (first)
            *shape = place;
        else
            at = read_alike_json(self, at, end, place);
        at = behind_space(at, end);
        if (at == end)
            return false;
        if (*at == ']')
            return at + 1 == end;
        if (*at != ',')
            return false;
        at = behind_space(at + 1, end);
    }
    return false;
}

static bool is_map(unsigned char head)
{
    return head == 0xde || (head & 0xf0) == 0x80;
}

static bool read_msgpack(struct metric_decoder *self, const unsigned char *at, const unsigned char *end,
                         uint16_t *shape)
{
    uint32_t rows = *at & 0xf;
    if (*at == 0xdc)
        rows = (uint32_t)at[1] << 8 | at[2];
    else if ((*at & 0xf0) != 0x90)
        return false;
    at += *at == 0xdc ? 3 : 1;
    uint16_t place = *shape;
    for (uint32_t row = 0, more; row < rows; row += 1 + more) {
        if (at == end || !is_map(*at))
            return false;
        more = 0;
        at = row == 0 ? read_event(self, at, end, &place) : read_row(self, at, end, &place);
        if (at == NULL)
            return false;
        if (row == 0)
            *shape = place;
        else
            at = read_alike_msgpack(self, at, end, place, rows - row - 1, &more);
    }
    return at == end;
}

/* Whatever is no single event, or has white space behind it. */
static __attribute__((noinline)) bool quick_other(struct metric_decoder *self, const unsigned char *at,
                                                  const unsigned char *end, uint16_t *shape)
{
    if (*at != '{' && *at != '[')
        return read_msgpack(self, at, end, shape);
    while (end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\r')
        end--;
    if (end - at < PAYLOAD_MIN || (end[-1] != '}' && end[-1] != ']'))
        return false;
    return *at == '{' ? read_event(self, at, end, shape) == end : read_json(self, at, end, shape);
}

/* A payload all of whose events are good and go the short way. False: it is another; what there is of it does not
 * count. *shape: the place of the shape that the message is likely to begin with, and has. */
static inline bool quick_read(struct metric_decoder *self, struct text payload, uint16_t *shape)
{
    const unsigned char *at = (const unsigned char *)payload.at, *end = at + payload.len;
    if (payload.len - PAYLOAD_MIN > INT32_MAX - PAYLOAD_MIN || self->slow)
        return false;
    forget_sender(&self->fast);
    if (*at == '{' && end[-1] == '}')
        return read_this(self, at, end, shape, true) == end;
    if (is_map(*at))
        return read_this(self, at, end, shape, false) == end;
    return quick_other(self, at, end, shape);
}

void decoder_begin(struct metric_decoder *self, const struct model_id *model, double now_s)
{
    if (self->untidy)
        decoder_tidy(self);
    self->metrics.at = self->metrics_first;
    self->model = model;
    self->latest_s = self->fast.latest_s = now_s + self->options.max_future_s;
    self->event_count = 0;
    self->ignored = 0;
    self->first_done = false;
}

int metric_decode_like(struct metric_decoder *self, const struct model_id *model, struct text payload, double now_s,
                       const struct metric_sender *told, uint16_t *like, const struct metric_message **out)
{
    static const struct metric_sender nobody;
    struct metric_message *message = &self->message;
    *out = NULL;
    decoder_begin(self, model, now_s);
    self->fast.told = told ? told : &nobody;
    if (!quick_read(self, payload, like)) {
        int rc = decoder_read(self, model, payload, now_s);
        if (rc != 0)
            return rc;
    }
    message->same_sender &= told != NULL;
    message->drops = self->drops.any;
    message->events = self->events;
    message->event_count = (uint32_t)self->event_count;
    message->ignored = self->ignored;
    *out = message;
    return 0;
}
