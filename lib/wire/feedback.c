#include "lib/wire/feedback.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/model_id.h"
#include "lib/wire/json_wide.h"
#include "lib/wire/json_write.h"
#include "lib/wire/metric_rules.h"

static const char *const say_names[SAYS] = {"accept", "progress", "done", "fail"};

/* A message on its way in: the first fault is kept. */
struct reader {
    json_t *root;
    char *why;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void fault(struct reader *in, const char *format, ...)
{
    va_list arguments;
    if (in->failed)
        return;
    in->failed = true;
    va_start(arguments, format);
    vsnprintf(in->why, 256, format, arguments);
    va_end(arguments);
}

/* Copies at most `most` bytes, and no half of a character. */
static void copy_cut(char *out, size_t most, struct text text)
{
    size_t len = text.len < most ? text.len : most;
    while (len < text.len && len > 0 && ((unsigned char)text.at[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] = text.at[i] != '\0' ? text.at[i] : ' '; /* RFC 8259 has \u0000; what is kept is a C string */
    out[len] = '\0';
}

static json_t *member(struct reader *in, const char *key, bool required)
{
    json_t *value = json_object_get(in->root, key);
    if (json_is_null(value))
        value = NULL;
    if (!value && required)
        fault(in, "\"%s\" is missing", key);
    return value;
}

static bool has_control(struct text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return true;
    }
    return false;
}

/* A name of 1 to `most` bytes. */
static void take_name(struct reader *in, const char *key, bool required, char *out, size_t most)
{
    json_t *value = member(in, key, required);
    out[0] = '\0';
    if (!value)
        return;
    struct text text = {json_string_value(value), json_string_length(value)};
    if (!json_is_string(value) || text.len < 1 || text.len > most || has_control(text))
        fault(in, "\"%s\" must be a string of 1 to %zu bytes without control characters", key, most);
    else
        copy_cut(out, most, text);
}

static void take_note(struct reader *in, const char *key, char out[FEEDBACK_NOTE_MAX + 1])
{
    json_t *value = member(in, key, false);
    out[0] = '\0';
    if (!value)
        return;
    if (!json_is_string(value)) {
        fault(in, "\"%s\" must be a string", key);
        return;
    }
    copy_cut(out, FEEDBACK_NOTE_MAX, (struct text){json_string_value(value), json_string_length(value)});
}

static double take_number(struct reader *in, const char *key, double low, double high)
{
    json_t *value = member(in, key, false);
    if (!value)
        return NAN;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= low && number <= high))
        fault(in, "\"%s\" must be a number from %.9g to %.9g", key, low, high);
    return number;
}

/* A whole number, however it is written: some languages have none but reals. */
static void take_attempt(struct reader *in, struct feedback *out)
{
    json_t *value = member(in, "attempt", true);
    if (!value)
        return;
    double attempt = json_number_value(value);
    if (!(attempt >= 1 && attempt <= INT32_MAX && attempt == floor(attempt)))
        fault(in, "\"attempt\" must be an integer from 1");
    else
        out->attempt = (uint32_t)attempt;
}

static void take_say(struct reader *in, struct feedback *out)
{
    json_t *value = member(in, "say", true);
    const char *say = json_string_value(value);
    for (int i = 0; say && i < SAYS; i++) {
        if (text_is((struct text){say, json_string_length(value)}, say_names[i])) {
            out->say = (enum feedback_say)i;
            return;
        }
    }
    fault(in, "\"say\" must be accept, progress, done or fail");
}

/* The metrics that mean the same everywhere have to be what they are in an event; others may be anything. */
static void check_metric(struct reader *in, const char *name, const json_t *value)
{
    enum member member = member_of(text_of(name), false);
    if ((member != MEMBER_RATIO && member != MEMBER_NOT_NEGATIVE) || json_is_null(value))
        return;
    double number = json_number_value(value);
    if (!json_is_number(value) || number < 0 || (member == MEMBER_RATIO && number > 1))
        fault(in, "\"%s\" in \"metrics\" must be a number%s", name, member == MEMBER_RATIO ? " from 0 to 1" : " from 0");
}

static void take_metrics(struct reader *in, struct feedback *out)
{
    json_t *value = member(in, "metrics", false);
    if (!value)
        return;
    if (!json_is_object(value)) {
        fault(in, "\"metrics\" must be an object");
        return;
    }
    const char *name;
    json_t *metric;
    json_object_foreach (value, name, metric) {
        check_metric(in, name, metric);
    }
    out->metrics_json = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (!out->metrics_json || strlen(out->metrics_json) > FEEDBACK_METRICS_MAX)
        fault(in, "\"metrics\" is larger than %d bytes", FEEDBACK_METRICS_MAX);
}

static void take_done(struct reader *in, struct feedback *out)
{
    take_name(in, "version", false, out->version, FEEDBACK_NAME_MAX);
    if (*out->version && !model_id_segment_valid(text_of(out->version)))
        fault(in, "\"version\" must be a version: no '/', '*', '?', '[', no space at its ends");
    take_name(in, "artifact", false, out->artifact, FEEDBACK_ARTIFACT_MAX);
    take_metrics(in, out);
    out->gpu_hours = take_number(in, "gpu_hours", 0, 1e9);
}

static void take_fail(struct reader *in, struct feedback *out)
{
    take_note(in, "error", out->note);
    out->gpu_hours = take_number(in, "gpu_hours", 0, 1e9);
    json_t *retry = member(in, "retry", false);
    if (retry && !json_is_boolean(retry))
        fault(in, "\"retry\" must be true or false");
    out->retry = !json_is_false(retry);
}

static void take_all(struct reader *in, struct feedback *out)
{
    take_say(in, out);
    take_name(in, "request", true, out->request, FEEDBACK_NAME_MAX);
    take_attempt(in, out);
    take_name(in, "trainer", true, out->trainer, FEEDBACK_NAME_MAX);
    if (in->failed)
        return;
    switch (out->say) {
    case SAY_PROGRESS:
        out->fraction = take_number(in, "fraction", 0, 1);
        take_note(in, "note", out->note);
        break;
    case SAY_DONE:
        take_done(in, out);
        break;
    case SAY_FAIL:
        take_fail(in, out);
        break;
    case SAY_ACCEPT:
    case SAYS:
        break;
    }
}

int feedback_read(struct feedback *out, struct text json, char why[256])
{
    *out = (struct feedback){.fraction = NAN, .gpu_hours = NAN};
    struct reader in = {.why = why};
    json_error_t error;
    if (json.len == 0 || json.len > FEEDBACK_BYTES_MAX) {
        snprintf(why, 256, "a message is one frame of 1 to %d bytes", FEEDBACK_BYTES_MAX);
        return -EINVAL;
    }
    in.root = json_wide_read(json, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!in.root && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    if (!in.root)
        fault(&in, "no JSON: line %d, column %d: %.160s", error.line, error.column, error.text);
    else if (!json_is_object(in.root))
        fault(&in, "a message is one JSON object");
    else
        take_all(&in, out);
    json_decref(in.root);
    if (!in.failed)
        return 0;
    feedback_free(out);
    return -EINVAL;
}

void feedback_free(struct feedback *self)
{
    free(self->metrics_json);
    self->metrics_json = NULL;
}

double feedback_metric(const struct feedback *self, const char *name)
{
    double number = NAN;
    json_t *metrics = self->metrics_json ? json_loads(self->metrics_json, JSON_ALLOW_NUL, NULL) : NULL;
    json_t *value = json_object_get(metrics, name);
    if (json_is_number(value))
        number = json_number_value(value);
    json_decref(metrics);
    return number;
}

bool feedback_metric_fits(const struct feedback *self, const char *name)
{
    json_t *metrics = self->metrics_json ? json_loads(self->metrics_json, JSON_ALLOW_NUL, NULL) : NULL;
    const json_t *value = json_object_get(metrics, name);
    bool fits = !value || json_is_null(value) || json_is_number(value);
    json_decref(metrics);
    return fits;
}

char *feedback_granted(enum feedback_say say, int64_t lease_ns, bool cancel)
{
    struct json_write out = {.at = NULL};
    json_write_bracket(&out, '{');
    json_write_key(&out, "ok");
    json_write_bool(&out, true);
    if (say == SAY_ACCEPT || say == SAY_PROGRESS) {
        json_write_key(&out, "lease_s");
        json_write_number(&out, (double)lease_ns / 1e9);
    }
    if (say == SAY_PROGRESS) {
        json_write_key(&out, "cancel");
        json_write_bool(&out, cancel);
    }
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

char *feedback_refused(const char *code, const char *message)
{
    struct json_write out = {.at = NULL};
    json_write_bracket(&out, '{');
    json_write_key(&out, "ok");
    json_write_bool(&out, false);
    json_write_key(&out, "error");
    json_write_string(&out, code);
    json_write_key(&out, "message");
    json_write_string(&out, message);
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}
