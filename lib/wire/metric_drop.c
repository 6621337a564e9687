#include <inttypes.h>
#include <stdio.h>

#include "lib/wire/metric_drop.h"
#include "lib/wire/utf8.h"

#define EXCERPT_BYTES 80 /* as written: escaped */

const char *metric_drop_name(enum metric_drop reason)
{
    static const char *const names[] = {
        [DROP_TOPIC] = "topic",         [DROP_FRAMES] = "frames",
        [DROP_SYNTAX] = "syntax",       [DROP_TYPE] = "type",
        [DROP_RANGE] = "range",         [DROP_NOT_FINITE] = "not_finite",
        [DROP_TOO_LARGE] = "too_large", [DROP_TOO_MANY_MODELS] = "too_many_models",
        [DROP_FUTURE] = "future",       [DROP_UNAUTHORIZED] = "unauthorized",
    };
    return reason < DROP_REASONS ? names[reason] : "unknown";
}

void drop_begin(struct drop_book *self)
{
    self->any = false;
    memset(self->count, 0, sizeof self->count);
}

void drop_note(struct drop_book *self, enum mistake mistake, uint32_t event, const struct text *name,
               const struct wire_value *value)
{
    struct drop_note *note = &self->note[mistake_reason(mistake)];
    note->mistake = mistake;
    note->event = event;
    note->name = name != NULL ? *name : (struct text){.at = NULL, .len = 0};
    note->value.kind = WIRE_NONE;
    if (value != NULL) {
        note->value = *value;
    }
}

void drop_count(struct drop_book *self, enum mistake mistake, uint32_t events)
{
    self->any = true;
    self->count[mistake_reason(mistake)] += events;
}

/* Text that is being written into a buffer of fixed size; what does not fit is left out. */
struct page {
    char *at, *end;
};

static void write_text(struct page *page, const char *text)
{
    while (*text != '\0' && page->at < page->end) {
        *page->at++ = *text++;
    }
    *page->at = '\0';
}

/* Characters that a log or a terminal shows as themselves. Besides control characters, the general punctuation of
 * Unicode is not among them (it turns the direction of text, breaks lines and hides), nor is the byte order mark. */
static bool shows(const unsigned char *at, unsigned bytes)
{
    switch (bytes) {
    case 1:
        return at[0] >= 0x20 && at[0] < 0x7F && at[0] != '"' && at[0] != '\\';
    case 2:
        return at[0] != 0xC2 || at[1] >= 0xA0;
    case 3:
        return !(at[0] == 0xE2 && (at[1] == 0x80 || at[1] == 0x81)) && !(at[0] == 0xEF && at[1] == 0xBB);
    default:
        return bytes == 4;
    }
}

/* Quoted, escaped, and cut where it would take more than EXCERPT_BYTES. */
static void write_quoted(struct page *page, struct text text)
{
    const unsigned char *at = (const unsigned char *)text.at, *end = at + text.len;
    size_t written = 0;
    write_text(page, "\"");
    while (at < end) {
        char piece[8];
        unsigned bytes = utf8_sequence(at, end);
        if (shows(at, bytes)) {
            memcpy(piece, at, bytes);
            piece[bytes] = '\0';
        } else {
            bytes = 1;
            snprintf(piece, sizeof piece, *at == '"' || *at == '\\' ? "\\%c" : "\\x%02X", *at);
        }
        written += strlen(piece);
        if (written > EXCERPT_BYTES) {
            write_text(page, "...");
            break;
        }
        write_text(page, piece);
        at += bytes;
    }
    write_text(page, "\"");
}

static void write_number(struct page *page, const struct wire_value *value)
{
    char piece[40];
    if (value->whole) {
        snprintf(piece, sizeof piece, "%s%" PRIu64, value->negative ? "-" : "", value->magnitude);
    } else {
        snprintf(piece, sizeof piece, "%.10g", value->number);
    }
    write_text(page, piece);
}

static void write_value(struct page *page, const struct wire_value *value)
{
    switch (value->kind) {
    case WIRE_NONE:
        break;
    case WIRE_NULL:
        write_text(page, "null");
        break;
    case WIRE_BOOLEAN:
        write_text(page, value->magnitude != 0 ? "true" : "false");
        break;
    case WIRE_NUMBER:
        write_number(page, value);
        break;
    case WIRE_STRING:
        write_quoted(page, value->text);
        break;
    case WIRE_ARRAY:
        write_text(page, "an array");
        break;
    case WIRE_MAP:
        write_text(page, "an object");
        break;
    case WIRE_TIME:
        write_text(page, "a timestamp");
        break;
    case WIRE_BINARY:
        write_text(page, "binary data");
        break;
    }
}

/* [event 3: ][in "accuracy"][, ][1.5][: ]it must lie in [0, 1] */
static void write_sentence(char sentence[DROP_SENTENCE_BYTES], const struct drop_note *note)
{
    struct page page = {.at = sentence, .end = sentence + DROP_SENTENCE_BYTES - 1};
    if (note->event > 0) {
        char piece[24];
        snprintf(piece, sizeof piece, "event %" PRIu32 ": ", note->event);
        write_text(&page, piece);
    }
    if (note->name.at != NULL) {
        write_text(&page, "in ");
        write_quoted(&page, note->name);
    }
    if (note->value.kind != WIRE_NONE) {
        write_text(&page, note->name.at != NULL ? ", " : "");
        write_value(&page, &note->value);
    }
    if (note->name.at != NULL || note->value.kind != WIRE_NONE) {
        write_text(&page, ": ");
    }
    write_text(&page, mistake_words(note->mistake));
}

void drop_end(struct drop_book *self, uint32_t dropped[DROP_REASONS], const char *detail[DROP_REASONS])
{
    if (!self->any) {
        memset(dropped, 0, sizeof self->count);
        memset(detail, 0, DROP_REASONS * sizeof *detail);
        return;
    }
    for (unsigned reason = 0; reason < DROP_REASONS; reason++) {
        dropped[reason] = self->count[reason];
        detail[reason] = NULL;
        if (self->count[reason] > 0) {
            write_sentence(self->sentence[reason], &self->note[reason]);
            detail[reason] = self->sentence[reason];
        }
    }
}

void drop_end_syntax(struct drop_book *self, const struct metric_reader *reader, uint32_t dropped[DROP_REASONS],
                     const char *detail[DROP_REASONS])
{
    drop_begin(self);
    drop_end(self, dropped, detail);
    dropped[DROP_SYNTAX] = 1;
    snprintf(self->sentence[DROP_SYNTAX], DROP_SENTENCE_BYTES, "not well formed at byte %zu: %s", reader->where,
             reader->why);
    detail[DROP_SYNTAX] = self->sentence[DROP_SYNTAX];
}
