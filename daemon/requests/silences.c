/* Models that a person keeps from triggering: kept in the store, so that a restart does not end a maintenance. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/requests/core.h"

#define FOR_MAX_S 31622400.0

static uint32_t standing(const struct core *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->silences->count; i++)
        count += self->silences->at[i].until.steady_ns > self->now.steady_ns;
    return count;
}

static void write_one(const struct silence *silence, struct json_write *out)
{
    json_write_bracket(out, '{');
    json_write_key(out, "pattern");
    json_write_string(out, silence->pattern);
    json_write_key(out, "until");
    json_write_time(out, silence->until.wall_s);
    json_write_key(out, "reason");
    json_write_string(out, *silence->reason ? silence->reason : NULL);
    json_write_bracket(out, '}');
}

void silences_write(const struct core *self, struct json_write *out)
{
    json_write_bracket(out, '[');
    for (uint32_t i = 0; i < self->silences->count; i++) {
        if (self->silences->at[i].until.steady_ns > self->now.steady_ns)
            write_one(&self->silences->at[i], out);
    }
    json_write_bracket(out, ']');
}

static const struct silence *find(const struct core *self, const char *pattern)
{
    for (uint32_t i = 0; i < self->silences->count; i++) {
        const struct silence *silence = &self->silences->at[i];
        if (silence->until.steady_ns > self->now.steady_ns && strcmp(silence->pattern, pattern) == 0)
            return silence;
    }
    return NULL;
}

char *silences_begin(struct core *self, json_t *asked, int *rc_p)
{
    *rc_p = self->silences_differ ? -EAGAIN : 0;
    if (*rc_p)
        return NULL;
    const char *pattern = json_string_value(json_object_get(asked, "pattern")), *why;
    double for_s = json_number_value(json_object_get(asked, "for_s"));
    if (!pattern || model_pattern_check(text_of(pattern), &why) < 0 || !(for_s > 0) || for_s > FOR_MAX_S)
        return feedback_refused("bad_message", "\"pattern\" and \"for_s\" must say which models, and for how long");
    if (!find(self, pattern) && standing(self) >= SILENCES_MAX)
        return feedback_refused("too_many", "there are 1024 silences already: end some, or use wider patterns");
    struct silence silence;
    int64_t for_ns = llround(for_s * 1e9);
    if ((size_t)snprintf(silence.pattern, sizeof silence.pattern, "%s", pattern) >= sizeof silence.pattern)
        return feedback_refused("bad_message", "\"pattern\" is longer than any model\'s id");
    commands_reason(asked, silence.reason, sizeof silence.reason);
    silence.until = moment_after(self->now, for_ns);
    store_put_silence(self->store, &silence, for_ns, self->now);
    effects_silences(self);
    struct json_write out = {.at = NULL};
    json_write_bracket(&out, '{');
    json_write_key(&out, "ok");
    json_write_bool(&out, true);
    json_write_key(&out, "silence");
    write_one(&silence, &out);
    json_write_key(&out, "pattern");
    json_write_string(&out, pattern);
    json_write_key(&out, "until");
    json_write_time(&out, silence.until.wall_s);
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

char *silences_end(struct core *self, json_t *asked, int *rc_p)
{
    *rc_p = self->silences_differ ? -EAGAIN : 0;
    if (*rc_p)
        return NULL;
    const char *pattern = json_string_value(json_object_get(asked, "pattern"));
    uint32_t count = pattern ? find(self, pattern) != NULL : standing(self);
    if (pattern && !count)
        return feedback_refused("unknown_silence", "no silence has this pattern; `status` lists those there are");
    store_end_silences(self->store, pattern);
    effects_silences(self);
    struct json_write out = {.at = NULL};
    json_write_bracket(&out, '{');
    json_write_key(&out, "ok");
    json_write_bool(&out, true);
    json_write_key(&out, "ended");
    json_write_integer(&out, count);
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

/* There is room up to the next power of two. */
static int add(void *argument, const struct silence *silence)
{
    struct silences **list_p = argument;
    const uint32_t count = (*list_p)->count;
    if ((count & (count - 1)) == 0) {
        const uint32_t room = count ? 2 * count : 1;
        struct silences *wider = realloc(*list_p, sizeof *wider + room * sizeof wider->at[0]);
        if (!wider)
            return -ENOMEM;
        *list_p = wider;
    }
    (*list_p)->at[(*list_p)->count++] = *silence;
    return 0;
}

static void log_fresh(const struct core *self, const struct silences *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct silence *silence = &list->at[i], *before = self->silences ? find(self, silence->pattern) : NULL;
        if (before && before->until.steady_ns == silence->until.steady_ns)
            continue;
        log_info("models are silenced: judged and shown, not triggered", LOG_TEXT("pattern", silence->pattern),
                 LOG_NUMBER("for_s", (double)(silence->until.steady_ns - self->now.steady_ns) / 1e9),
                 LOG_TEXT("why", silence->reason));
    }
}

bool silences_tell(struct core *self)
{
    struct silences *list = calloc(1, sizeof *list);
    int rc = list ? store_each_silence(self->store, self->now, add, &list) : -ENOMEM;
    if (rc < 0) {
        free(list);
        return false;
    }
    log_fresh(self, list);
    if (self->silences && list->count < standing(self))
        log_info("silences are ended by the operator", LOG_NUMBER("ended", standing(self) - list->count));
    free(self->silences);
    self->silences = list;
    if (self->ports.silences)
        self->ports.silences(self->ports.argument, list);
    return true;
}
