#include "lib/wire/recorded.h"
#include "lib/wire/json_wide.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Short where 15 digits are enough, and never another double: events are many, and each digit more is a try. */
static void write_number(struct json_write *out, double number)
{
    char text[32];
    if (fabs(number) < 1e15 && !(floor(number) < number)) {
        json_write_integer(out, (int64_t)number);
        return;
    }
    for (int digits = 15; digits <= 17; digits += 2) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        double back = digits < 17 ? strtod(text, NULL) : number;
        if (!(back < number) && !(back > number))
            break;
    }
    json_write_raw(out, text_of(text));
}

static void write_count(struct json_write *out, uint64_t count)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, count);
    json_write_raw(out, text_of(digits));
}

static void write_histogram(struct json_write *out, const struct metric *metric)
{
    json_write_key(out, "histogram");
    json_write_bracket(out, '{');
    json_write_key(out, "edges");
    json_write_bracket(out, '[');
    for (uint32_t i = 0; i <= metric->histogram.bins; i++)
        write_number(out, metric->histogram.edges[i]);
    json_write_bracket(out, ']');
    json_write_key(out, "counts");
    json_write_bracket(out, '[');
    for (uint32_t i = 0; i < metric->histogram.bins; i++)
        write_count(out, metric->histogram.counts[i]);
    json_write_bracket(out, ']');
    json_write_bracket(out, '}');
}

static void write_categories(struct json_write *out, const struct metric *metric)
{
    json_write_key(out, "categories");
    json_write_bracket(out, '{');
    for (uint32_t i = 0; i < metric->categories.count; i++) {
        json_write_key_text(out, metric->categories.at[i].name);
        write_count(out, metric->categories.at[i].count);
    }
    json_write_bracket(out, '}');
}

static void write_metric(struct json_write *out, const struct metric *metric)
{
    json_write_key_text(out, metric->name);
    if (metric->kind == METRIC_NUMBER) {
        write_number(out, metric->number);
        return;
    }
    json_write_bracket(out, '{');
    if (metric->kind == METRIC_HISTOGRAM)
        write_histogram(out, metric);
    else
        write_categories(out, metric);
    json_write_bracket(out, '}');
}

static void write_at(struct json_write *out, struct text model, const struct recorded_at *at)
{
    char taken[64];
    snprintf(taken, sizeof taken, "%" PRId64 " %" PRIu64, at->steady_ns, at->place);
    json_write_key(out, "model");
    json_write_text(out, model);
    json_write_key(out, "received_at");
    write_number(out, at->received_s);
    json_write_key(out, "taken");
    json_write_string(out, taken);
}

/* A node's own metric of one of these names is what an earlier recorder had written, or hides what the line is about. */
static bool is_ours(struct text name)
{
    return text_is(name, "model") || text_is(name, "received_at") || text_is(name, "taken");
}

void recorded_event(struct json_write *out, const struct metric_event *event, const struct recorded_at *at)
{
    json_write_bracket(out, '{');
    write_at(out, event->model->whole, at);
    if (!isnan(event->timestamp_s)) {
        json_write_key(out, "timestamp");
        write_number(out, event->timestamp_s);
    }
    if (event->n != 1) {
        json_write_key(out, "n");
        write_count(out, event->n);
    }
    for (uint32_t i = 0; i < event->metric_count; i++)
        if (!is_ours(event->metrics[i].name))
            write_metric(out, &event->metrics[i]);
    json_write_bracket(out, '}');
}

void recorded_stands(struct json_write *out, struct text model, const struct recorded_at *at,
                     const struct recorded_standing *standing)
{
    json_write_bracket(out, '{');
    json_write_key(out, "stands");
    json_write_bracket(out, '{');
    json_write_key(out, "live");
    json_write_bool(out, standing->live);
    json_write_key(out, "unrecoverable");
    json_write_bool(out, standing->unrecoverable);
    json_write_key(out, "episode");
    write_count(out, standing->episode);
    json_write_key(out, "triggered_ns");
    json_write_integer(out, standing->triggered_ns);
    json_write_key(out, "ended_ns");
    json_write_integer(out, standing->ended_ns);
    if (standing->held_ns != INT64_MIN) {
        json_write_key(out, "held_ns");
        json_write_integer(out, standing->held_ns);
    }
    json_write_bracket(out, '}');
    write_at(out, model, at);
    json_write_bracket(out, '}');
}

void recorded_transition(struct json_write *out, struct text model, double received_s, struct text cloud_event)
{
    json_write_bracket(out, '{');
    json_write_key(out, "transition");
    json_write_raw(out, cloud_event);
    json_write_key(out, "model");
    json_write_text(out, model);
    json_write_key(out, "received_at");
    write_number(out, received_s);
    json_write_bracket(out, '}');
}

void recorded_lost(struct json_write *out, uint64_t events)
{
    json_write_bracket(out, '{');
    json_write_key(out, "lost");
    write_count(out, events);
    json_write_bracket(out, '}');
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

bool recorded_taken(struct text taken, struct recorded_at *out)
{
    char text[64], *end;
    if (taken.len == 0 || taken.len >= sizeof text)
        return false;
    memcpy(text, taken.at, taken.len);
    text[taken.len] = '\0';
    long long steady_ns = strtoll(text, &end, 10);
    if (end == text || *end != ' ' || end[1] < '0' || end[1] > '9')
        return false;
    unsigned long long place = strtoull(end + 1, &end, 10);
    if (*end)
        return false;
    out->steady_ns = steady_ns;
    out->place = place;
    return true;
}

bool recorded_may_be_other(struct text line)
{
    static const char *const begins[] = {"{\"stands\":", "{\"transition\":", "{\"lost\":"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        struct text begin = text_of(begins[i]);
        if (line.len >= begin.len && memcmp(line.at, begin.at, begin.len) == 0)
            return true;
    }
    return false;
}

static void copy(const json_t *object, const char *name, char *out, size_t room)
{
    const char *text = json_string_value(json_object_get(object, name));
    snprintf(out, room, "%s", text ? text : "");
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void read_transition(const json_t *event, struct recorded_line *out)
{
    const json_t *data = json_object_get(event, "data"), *trigger = json_object_get(data, "trigger");
    copy(event, "type", out->type, sizeof out->type);
    copy(data, "request", out->request, sizeof out->request);
    copy(data, "state", out->state, sizeof out->state);
    copy(data, "strategy", out->strategy, sizeof out->strategy);
    copy(data, "by", out->by, sizeof out->by);
    out->observed = number_of(trigger, "observed");
    out->limit = number_of(trigger, "limit");
}

static void read_standing(const json_t *stands, struct recorded_standing *out)
{
    const json_t *held = json_object_get(stands, "held_ns");
    *out = (struct recorded_standing){
        .live = json_is_true(json_object_get(stands, "live")),
        .unrecoverable = json_is_true(json_object_get(stands, "unrecoverable")),
        .episode = (uint64_t)json_integer_value(json_object_get(stands, "episode")),
        .triggered_ns = json_integer_value(json_object_get(stands, "triggered_ns")),
        .ended_ns = json_integer_value(json_object_get(stands, "ended_ns")),
        .held_ns = json_is_integer(held) ? json_integer_value(held) : INT64_MIN,
    };
}

enum recorded_kind recorded_read(struct text line, struct recorded_line *out)
{
    json_t *json = json_wide_read(line, JSON_REJECT_DUPLICATES, NULL);
    const json_t *stands = json_object_get(json, "stands"), *transition = json_object_get(json, "transition"),
                 *lost = json_object_get(json, "lost");
    *out = (struct recorded_line){.kind = RECORDED_EVENT};
    copy(json, "model", out->model, sizeof out->model);
    out->at.received_s = json_number_value(json_object_get(json, "received_at"));
    const char *taken = json_string_value(json_object_get(json, "taken"));
    if (taken)
        recorded_taken(text_of(taken), &out->at);
    if (json_is_object(stands) && *out->model) {
        out->kind = RECORDED_STANDS;
        read_standing(stands, &out->standing);
    } else if (json_is_object(transition) && *out->model) {
        out->kind = RECORDED_TRANSITION;
        read_transition(transition, out);
    } else if (json_is_integer(lost) && json_object_size(json) == 1) {
        out->kind = RECORDED_LOST;
        out->lost = (uint64_t)json_integer_value(lost);
    }
    json_decref(json);
    return out->kind;
}
