#include "cli/outcome.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/member.h"
#include "cli/say.h"
#include "cli/visible.h"
#include "lib/model_id.h"
#include "lib/wire/json_wide.h"

#define ARTIFACT_MOST 1024 /* bytes, */
#define METRICS_MOST 65536 /* as the daemon takes them */
#define ERROR_MOST 256

static bool version_fits(const json_t *value)
{
    return json_is_string(value) &&
           model_id_segment_valid((struct text){.at = json_string_value(value), .len = json_string_length(value)});
}

static bool artifact_fits(const json_t *value)
{
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len < 1 || len > ARTIFACT_MOST)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)json_string_value(value)[i];
        if (byte < 0x20 || byte == 0x7f)
            return false;
    }
    return true;
}

/* Of the metrics that mean the same everywhere the daemon takes nothing but their numbers. */
static bool standard_metrics_fit(const json_t *metrics)
{
    static const struct {
        const char *name;
        double most;
    } standard[] = {
        {"accuracy", 1}, {"precision", 1}, {"recall", 1}, {"latency_ms", HUGE_VAL}, {"processed_fps", HUGE_VAL}};
    for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++) {
        const json_t *value = json_object_get(metrics, standard[i].name);
        double number = json_number_value(value);
        if (value && !json_is_null(value) && (!json_is_number(value) || number < 0 || number > standard[i].most))
            return false;
    }
    return true;
}

static bool metrics_fit(const json_t *value)
{
    if (!standard_metrics_fit(value))
        return false;
    char *text = json_is_object(value) ? json_dumps(value, JSON_COMPACT) : NULL;
    bool fits = text && strlen(text) <= METRICS_MOST;
    free(text);
    return fits;
}

static bool hours_fit(const json_t *value)
{
    return json_is_number(value) && json_number_value(value) >= 0 && json_number_value(value) <= 1e9;
}

static bool error_fits(const json_t *value)
{
    return json_is_string(value);
}

static bool retry_fits(const json_t *value)
{
    return json_is_boolean(value);
}

struct member {
    const char *name;
    bool (*fits)(const json_t *value);
    const char *allowed;
};

static const struct member done_members[] = {
    {"version", version_fits, "a version: 1 to 128 bytes without /, *, ?, [ and control characters"},
    {"artifact", artifact_fits, "a text of 1 to 1024 bytes without control characters"},
    {"metrics", metrics_fit, "an object of at most 64 KiB whose standard metrics are numbers in their range"},
    {"gpu_hours", hours_fit, "a number from 0"},
    {0},
};

static const struct member fail_members[] = {
    {"error", error_fits, "a text"},
    {"retry", retry_fits, "true or false"},
    {"gpu_hours", hours_fit, "a number from 0"},
    {0},
};

/* Takes what fits over into the message, and tells what does not. */
static void take_members(json_t *message, const json_t *result, const struct member *members, FILE *left_out)
{
    for (const struct member *member = members; member->name; member++) {
        json_t *value = json_object_get(result, member->name);
        if (!value || json_is_null(value))
            continue;
        if (member->fits(value))
            json_object_set(message, member->name, value);
        else
            fprintf(left_out, "%s%s left out: not %s", ftell(left_out) > 0 ? "; " : "", member->name, member->allowed);
    }
}

/* Closes the stream: its text, or NULL where it is empty. */
static char *text_or_none(FILE *out, char **text, const size_t *size)
{
    fclose(out);
    must(*text);
    if (*size)
        return *text;
    free(*text);
    return NULL;
}

static json_t *result_of(const char *last)
{
    return *last == '{' ? json_wide_read(text_of(last), JSON_REJECT_DUPLICATES, NULL) : NULL;
}

char *outcome_done(json_t *message, const char *last, double hours)
{
    char *left_out = NULL;
    size_t size;
    FILE *out = must(open_memstream(&left_out, &size));
    json_t *result = result_of(last);
    json_object_set_new(message, "gpu_hours", json_real(hours));
    if (!result && *last)
        fputs("the last line of output is no JSON object", out);
    take_members(message, result, done_members, out);
    json_decref(result);
    return text_or_none(out, &left_out, &size);
}

/* The end of a long line says more than its beginning; bytes that are no text become visible. */
static json_t *error_json(const char *error)
{
    char *visible = visible_of(text_of(error));
    const char *from = visible;
    if (strlen(visible) > ERROR_MOST) {
        from += strlen(visible) - ERROR_MOST;
        while (((unsigned char)*from & 0xc0) == 0x80)
            from++;
    }
    json_t *said = must(json_string(from));
    free(visible);
    return said;
}

static void describe_status(int status, char out[64])
{
    if (WIFSIGNALED(status))
        snprintf(out, 64, "killed by signal %d (%s)", WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(out, 64, "ended with status %d", WEXITSTATUS(status));
}

char *outcome_fail(json_t *message, int status, const char *last, const char *last_error, double hours, bool retry_any)
{
    char ended[64], *left_out = NULL;
    size_t size;
    FILE *out = must(open_memstream(&left_out, &size));
    json_t *result = result_of(last);
    bool later = WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL;
    json_object_set_new(message, "retry", json_boolean(later || retry_any));
    json_object_set_new(message, "gpu_hours", json_real(hours));
    take_members(message, result, fail_members, out);
    const char *error = json_string_value(json_object_get(message, "error"));
    describe_status(status, ended);
    if (!error || !*error)
        error = *last_error ? last_error : ended;
    json_object_set_new(message, "error", error_json(error));
    json_decref(result);
    return text_or_none(out, &left_out, &size);
}
