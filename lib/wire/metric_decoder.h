/* metric_decoder.h - what the files that make up the decoder share; nobody else includes it.
 *
 * A message is read in one pass. Its pieces are kept in arenas, where they stay in their place while more are added;
 * the list of events grows, and is handed out at the end.
 *
 * Threads, memory, failure: as metric_message.h says. Functions that find no memory tell the reader, whose error
 * sticks.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_DECODER_H
#define DRIFT_LIB_WIRE_METRIC_DECODER_H

#include "lib/wire/metric_drop.h"
#include "lib/wire/metric_known.h"
#include "lib/wire/metric_memory.h"
#include "lib/wire/metric_message.h"
#include "lib/wire/metric_reader.h"
#include "lib/wire/metric_rules.h"
#include "lib/wire/metric_shape.h"
#include "lib/wire/rfc3339.h"

/* An event while its members are being read. Its metrics stand in free room of the arena, not taken yet. */
struct event_draft {
    struct metric_event event;
    struct metric *metrics;
    enum mistake mistake; /* the first; the event will be dropped */
    uint32_t place;       /* in its batch, from 1; 0: it is the payload */
    bool has_model;
};

/* A text that is read half by half. A load of both at once, as of a struct text, waits where they were just written one by
 * one: the processor cannot put them together before all stores in front of them have left for the cache. */
struct fast_said {
    const char *at;
    uint32_t len;
};

static inline struct fast_said fast_said(const void *at, size_t len)
{
    return (struct fast_said){at, (uint32_t)len};
}

static inline struct text fast_said_text(const struct fast_said *said)
{
    return (struct text){said->at, said->len};
}

/* What one event says, before any of it counts. */
struct fast_event {
    struct metric_event *event;
    struct metric *metrics; /* room for METRIC_EVENT_MAX */
    double latest_s;
    struct fast_said node, boot; /* of no bytes, and 0, where it does not say */
    uint64_t seq, carried;  /* a bit for each enum member that came */
    uint32_t ignored;
    const struct metric_sender *told;
    uint8_t same; /* of what was told: FAST_NODE, FAST_BOOT */
};

#define FAST_NAMED_MAX 64 /* events of a message, from the first one on */

#define FAST_NODE 1
#define FAST_BOOT 2

#define METRIC_NOT_SAID ((struct text){.at = "", .len = 0})

union metric_cell {
    double number;  /* NAN: absent */
    uint64_t count; /* of the column "n"; 0: absent */
};

struct metric_column {
    enum member member;
    struct text name;
    size_t first; /* index of its first cell */
};

#define METRIC_COLUMNS_MAX (METRIC_EVENT_MAX + 2) /* and `timestamp`, and `n` */

/* A columnar batch while its members are being read. */
struct metric_columns {
    struct metric_column at[METRIC_COLUMNS_MAX];
    uint32_t count, metric_count; /* columns; those that are metrics */
    uint32_t arrays;              /* arrays that came, those of ignored strings too */
    uint32_t rows;                /* elements of the first */
    bool uneven;
    union metric_cell *cells;
    size_t cell_count, cell_room;
    uint8_t *mistakes; /* of each row, the first */
    size_t mistake_count, mistake_room;
};

struct metric_decoder {
    struct metric_options options;
    struct metric_reader reader;
    struct drop_book drops;
    struct memory_arena metrics, bins, ids;
    struct metric_event *events;
    size_t event_count, event_room;
    const struct model_id *model; /* of the topic, or NULL: each event names its own */
    double latest_s;
    uint32_t ignored;
    bool first_done; /* the message has its node, boot and seq */
    char boot[RULE_BOOT_DIGITS];
    struct metric_columns columns;
    struct metric_message message;
    struct beacon_message beacon;
    struct beacon_topic *topics;
    size_t topic_room;
    struct fast_event fast; /* the event that is being read, metric_fast.h */
    uint32_t named[FAST_NAMED_MAX]; /* the serials of the shapes whose names stand among the metrics of the first events: */
    size_t named_count;             /* so many, one behind the other */
    struct known_names known;
    struct rfc3339_day day; /* of the last time that was text */
    struct shapes shapes;
    unsigned char *metrics_first, *ids_first; /* where those of a message begin in their arenas */
    bool slow;                    /* every message is read the long way */
    bool untidy;                  /* there is something to clear away before the next message */
    /* A histogram or categories while being read. */
    double edges[METRIC_BINS_MAX + 1];
    uint64_t counts[METRIC_BINS_MAX];
    struct metric_category categories[METRIC_BINS_MAX];
};

/* metric_event.c: reads the members of one event whose map was opened. With `may_be_columns` it may turn out to be a
 * columnar batch. */
void event_read(struct metric_decoder *self, struct wire_value *map, uint32_t place, bool may_be_columns);

/* Adds a drop to the book. */
void event_drop(struct metric_decoder *self, enum mistake mistake, uint32_t place);

/* Appends a finished event, whose `metrics` are in their place. */
void event_append(struct metric_decoder *self, const struct metric_event *event);

/* The model that an event of a batch names. */
enum mistake event_model(struct metric_decoder *self, struct text text, const struct model_id **out);

/* metric_bins.c: reads the object that a metric is: {"histogram": ...} or {"categories": ...}. *culprit becomes the
 * value inside it that is at fault, where it is one value. */
enum mistake bins_read(struct metric_decoder *self, struct wire_value *map, struct metric *out,
                       struct wire_value *culprit);

/* metric_message.c: clears away what is untidy; makes ready for a message; and reads one the general way: 0 or -ENOMEM.
 */
void decoder_tidy(struct metric_decoder *self);
void decoder_begin(struct metric_decoder *self, const struct model_id *model, double now_s);
int decoder_read(struct metric_decoder *self, const struct model_id *model, struct text payload, double now_s);

/* metric_columns.c */
void columns_begin(struct metric_columns *self);
void columns_read(struct metric_decoder *self, enum member member, struct text name, struct wire_value *array,
                  struct event_draft *draft);
void columns_finish(struct metric_decoder *self, struct event_draft *draft);
void columns_free(struct metric_columns *self);

#endif
