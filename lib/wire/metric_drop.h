/* metric_drop.h - what a message lost and why: counts, and a sentence about the last drop of each reason.
 *
 * A note is taken at once and cheaply; the sentences are written once, when the message is done. What came from outside
 * stands in them with its control characters, quotes and bad UTF-8 escaped.
 *
 * Threads: belongs to one thread. Memory: notes borrow from the payload and the reader; sentences are kept here, until
 * the book is used for the next message. Failure: none.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_DROP_H
#define DRIFT_LIB_WIRE_METRIC_DROP_H

#include "lib/wire/metric_reader.h"
#include "lib/wire/metric_rules.h"

#define DROP_SENTENCE_BYTES 384

struct drop_note {
    enum mistake mistake;
    uint32_t event;   /* its place in the message, from 1; 0: the message is one event, or it is about the whole */
    struct text name; /* of the member; .at NULL: none */
    struct wire_value value; /* what it held */
};

struct drop_book {
    bool any; /* `count` is not all zero */
    uint32_t count[DROP_REASONS];
    struct drop_note note[DROP_REASONS];
    char sentence[DROP_REASONS][DROP_SENTENCE_BYTES];
};

void drop_begin(struct drop_book *self);

/* Notes a mistake in a member without counting it; `name` and `value` may be NULL. */
void drop_note(struct drop_book *self, enum mistake mistake, uint32_t event, const struct text *name,
               const struct wire_value *value);

void drop_count(struct drop_book *self, enum mistake mistake, uint32_t events);

/* Hands out the counts, with a sentence for each reason that has one. */
void drop_end(struct drop_book *self, uint32_t dropped[DROP_REASONS], const char *detail[DROP_REASONS]);

/* Instead of drop_end(): the whole message was not well formed, so nothing else that was noted counts. */
void drop_end_syntax(struct drop_book *self, const struct metric_reader *reader, uint32_t dropped[DROP_REASONS],
                     const char *detail[DROP_REASONS]);

#endif
