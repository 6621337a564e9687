/* wire_message.h - metric messages for tests: one line of text for what was decoded, and MessagePack made from JSON.
 *
 * The line: node=… boot=… seq=… ignored=… where they are there, then each event as [model t=… n=… name=value …], where a
 * value is a number, H(edges;counts) or C(name:count,…), then reason=count for each drop.
 */
#ifndef TESTS_UNIT_WIRE_MESSAGE_H
#define TESTS_UNIT_WIRE_MESSAGE_H

#include <endian.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/metric_message.h"

#define TEST_NOW_S 2000000000.0
#define TEST_FUTURE_S 300.0

static inline struct metric_decoder *test_decoder(void)
{
    struct metric_options options = {.max_future_s = TEST_FUTURE_S, .secret = {1, 2}};
    struct metric_decoder *decoder;
    if (metric_decoder_new(&decoder, &options) != 0)
        abort();
    return decoder;
}

/* Letters, digits and a few marks as they are, the rest as %XX. */
static inline void put_text(FILE *out, struct text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != 0 && strchr("_.-/", c));
        fprintf(out, plain ? "%c" : "%%%02X", c);
    }
}

static inline void put_metric(FILE *out, const struct metric *metric)
{
    put_text(out, metric->name);
    switch (metric->kind) {
    case METRIC_NUMBER:
        fprintf(out, "=%.17g", metric->number);
        return;
    case METRIC_HISTOGRAM:
        for (uint32_t i = 0; i <= metric->histogram.bins; i++)
            fprintf(out, "%s%.17g", i == 0 ? "=H(" : ",", metric->histogram.edges[i]);
        for (uint32_t i = 0; i < metric->histogram.bins; i++)
            fprintf(out, "%s%" PRIu64, i == 0 ? ";" : ",", metric->histogram.counts[i]);
        fputc(')', out);
        return;
    case METRIC_CATEGORIES:
        fputs("=C(", out);
        for (uint32_t i = 0; i < metric->categories.count; i++) {
            fputs(i == 0 ? "" : ",", out);
            put_text(out, metric->categories.at[i].name);
            fprintf(out, ":%" PRIu64, metric->categories.at[i].count);
        }
        fputc(')', out);
        return;
    }
}

static inline void put_event(FILE *out, const struct metric_event *event, bool with_model)
{
    const char *before = "";
    fputc('[', out);
    if (with_model) {
        put_text(out, event->model->whole);
        before = " ";
    }
    if (!isnan(event->timestamp_s)) {
        fprintf(out, "%st=%.17g", before, event->timestamp_s);
        before = " ";
    }
    if (event->n != 1) {
        fprintf(out, "%sn=%" PRIu64, before, event->n);
        before = " ";
    }
    for (uint32_t i = 0; i < event->metric_count; i++, before = " ") {
        fputs(before, out);
        put_metric(out, &event->metrics[i]);
    }
    fputc(']', out);
}

static inline void put_message(FILE *out, const struct metric_message *message, bool with_model)
{
    const char *before = "";
    if (message->node.len > 0) {
        fputs("node=", out);
        put_text(out, message->node);
        before = " ";
    }
    if (message->boot.len > 0) {
        fprintf(out, "%sboot=", before);
        put_text(out, message->boot);
        before = " ";
    }
    if (message->has_seq) {
        fprintf(out, "%sseq=%" PRIu64, before, message->seq);
        before = " ";
    }
    if (message->ignored > 0) {
        fprintf(out, "%signored=%" PRIu32, before, message->ignored);
        before = " ";
    }
    for (uint32_t i = 0; i < message->event_count; i++, before = " ") {
        fputs(before, out);
        put_event(out, &message->events[i], with_model);
    }
    for (unsigned i = 0; i < DROP_REASONS; i++) {
        if (message->dropped[i] > 0) {
            fprintf(out, "%s%s=%" PRIu32, before, metric_drop_name(i), message->dropped[i]);
            before = " ";
        }
        if ((message->detail[i] != NULL) != (message->dropped[i] > 0))
            abort();
    }
}

/* Decodes from memory of just the payload's size, and frees it only with the line: what was decoded borrows from it.
 * `model_text` NULL: a batch/ topic. */
static inline char *decoded_line(struct metric_decoder *decoder, const char *model_text, struct text payload)
{
    char *line = NULL, *copy = malloc(payload.len > 0 ? payload.len : 1);
    size_t bytes;
    struct model_id model;
    const struct metric_message *message;
    if (payload.len > 0)
        memcpy(copy, payload.at, payload.len);
    if (model_text != NULL && model_id_parse(&model, text_of(model_text)) != 0)
        abort();
    int rc = metric_decode(decoder, model_text != NULL ? &model : NULL, (struct text){copy, payload.len}, TEST_NOW_S,
                           &message);
    if (rc != 0)
        abort();
    FILE *out = open_memstream(&line, &bytes);
    put_message(out, message, model_text == NULL);
    fclose(out);
    free(copy);
    return line;
}

static inline void put_big_endian(FILE *out, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0)
        fputc((int)(value >> (8 * bytes) & 0xFF), out);
}

static inline void pack_text(FILE *out, const char *at, size_t len)
{
    if (len < 32)
        fputc((int)(0xA0 | len), out);
    else {
        fputc(0xDA, out);
        put_big_endian(out, len, 2);
    }
    fwrite(at, 1, len, out);
}

static inline void pack_integer(FILE *out, json_int_t value)
{
    if (value >= 0 && value < 128)
        fputc((int)value, out);
    else {
        fputc(0xD3, out);
        put_big_endian(out, (uint64_t)value, 8);
    }
}

static inline void pack_value(FILE *out, const json_t *value)
{
    const char *name;
    json_t *inner;
    size_t i;
    double real;
    uint64_t bits;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        fputc(0xDE, out);
        put_big_endian(out, json_object_size(value), 2);
        json_object_foreach((json_t *)(uintptr_t)value, name, inner) {
            pack_text(out, name, strlen(name));
            pack_value(out, inner);
        }
        return;
    case JSON_ARRAY:
        fputc(0xDC, out);
        put_big_endian(out, json_array_size(value), 2);
        json_array_foreach(value, i, inner) pack_value(out, inner);
        return;
    case JSON_STRING:
        pack_text(out, json_string_value(value), json_string_length(value));
        return;
    case JSON_INTEGER:
        pack_integer(out, json_integer_value(value));
        return;
    case JSON_REAL:
        real = json_real_value(value);
        memcpy(&bits, &real, sizeof bits);
        fputc(0xCB, out);
        put_big_endian(out, bits, 8);
        return;
    case JSON_TRUE:
        fputc(0xC3, out);
        return;
    case JSON_FALSE:
        fputc(0xC2, out);
        return;
    case JSON_NULL:
        fputc(0xC0, out);
        return;
    }
}

/* The same value in MessagePack, to be freed; .at is NULL for JSON that jansson does not take. */
static inline struct text packed(struct text json)
{
    char *bytes = NULL;
    size_t len = 0;
    json_t *value = json_loadb(json.at, json.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value == NULL)
        return (struct text){0};
    FILE *out = open_memstream(&bytes, &len);
    pack_value(out, value);
    fclose(out);
    json_decref(value);
    return (struct text){bytes, len};
}

#endif
