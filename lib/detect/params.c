#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/calibrate/chart.h"
#include "lib/detect/detector.h"
#include "lib/detect/reference.h"

#define VALUE_TEXT_MAX 64
#define PROMISE_MOST 1e12

void detect_say(struct detect_error *error, const char *format, ...)
{
    if (!error)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    /* What is quoted may be any bytes, and be cut within a character. */
    for (char *at = error->text; *at; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}

const struct detect_param *detect_param(const char *detector, uint32_t index)
{
    const struct detector *type = detector_find(detector);
    return type && index < type->param_count ? &type->params[index] : NULL;
}

static void say_detectors(const char *name, struct detect_error *error)
{
    char list[200] = "";
    size_t used = 0;
    for (uint32_t i = 0; detect_name(i); i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", detect_name(i));
    detect_say(error, "no detector \"%.40s\"; there are %s", name, list);
}

int detect_params_init(struct detect_params *self, const char *detector, struct detect_error *error)
{
    const struct detector *type = detector_find(detector);
    if (!type) {
        say_detectors(detector, error);
        return -ENOENT;
    }
    *self = (struct detect_params){.type = type};
    for (uint32_t i = 0; i < type->param_count; i++)
        self->value[i] = type->params[i].fallback;
    return 0;
}

static int param_index(const struct detect_params *self, const char *name, struct detect_error *error)
{
    for (uint32_t i = 0; i < self->type->param_count; i++)
        if (strcmp(self->type->params[i].name, name) == 0)
            return (int)i;
    char list[200] = "";
    size_t used = 0;
    for (uint32_t i = 0; error && i < self->type->param_count; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", self->type->params[i].name);
    detect_say(error, "%.40s: no parameter of %s, which has %s", name, self->type->name, list);
    return -ENOENT;
}

/* "a whole number from 1 to 100", "false or true", "both, up or down": what may stand there. */
static void say_allowed(const struct detect_param *param, const char *value, struct detect_error *error)
{
    char allowed[128];
    switch (param->kind) {
    case DETECT_NUMBER:
        snprintf(allowed, sizeof(allowed), "a number %s %g and at most %g", param->open ? "above" : "of at least",
                 param->least, param->most);
        break;
    case DETECT_WHOLE:
        snprintf(allowed, sizeof(allowed), "a whole number from %g to %g", param->least, param->most);
        break;
    case DETECT_SWITCH:
        snprintf(allowed, sizeof(allowed), "true or false");
        break;
    case DETECT_CHOICE:
        /* Words before `least` are for other detectors. */
        snprintf(allowed, sizeof(allowed), "one of %s",
                 param->words + (param->least > 0 ? strcspn(param->words, "|") + 1 : 0));
        for (char *at = allowed; (at = strchr(at, '|'));)
            *at = '/';
        break;
    }
    detect_say(error, "%s: %.60s is not allowed; it takes %s", param->name, value, allowed);
}

static bool allowed_value(const struct detect_param *param, double value)
{
    if (!isfinite(value) || value < param->least || value > param->most || (param->open && value <= param->least))
        return false;
    return param->kind == DETECT_NUMBER || value == floor(value);
}

/* The thresholds of a promise belong to the parameters they were made for. */
static void set(struct detect_params *self, int index, double value)
{
    self->value[index] = value;
    self->promise = 0;
    self->approximate = false;
    self->stages = 0;
}

int detect_params_set(struct detect_params *self, const char *name, double value, struct detect_error *error)
{
    int index = param_index(self, name, error);
    if (index < 0)
        return index;
    const struct detect_param *param = &self->type->params[index];
    if (!allowed_value(param, value)) {
        char text[VALUE_TEXT_MAX];
        snprintf(text, sizeof(text), "%.17g", value);
        say_allowed(param, text, error);
        return -EDOM;
    }
    set(self, index, value);
    return 0;
}

/* The index of a word in "both|up|down", or -1. */
static int word_index(const char *words, const char *word)
{
    int index = 0;
    for (const char *at = words; *at; index++) {
        size_t length = strcspn(at, "|");
        if (strlen(word) == length && memcmp(at, word, length) == 0)
            return index;
        at += length + (at[length] == '|');
    }
    return -1;
}

static bool read_number(const char *text, double *out)
{
    char *end;
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

int detect_params_set_text(struct detect_params *self, const char *name, struct text value, struct detect_error *error)
{
    char text[VALUE_TEXT_MAX];
    int index = param_index(self, name, error);
    if (index < 0)
        return index;
    const struct detect_param *param = &self->type->params[index];
    snprintf(text, sizeof(text), "%.*s", (int)(value.len < sizeof(text) ? value.len : sizeof(text)), value.at);
    double number = -1;
    bool known = value.len < sizeof(text);
    if (param->kind == DETECT_SWITCH)
        known = known && (number = word_index("false|true", text)) >= 0;
    else if (param->kind == DETECT_CHOICE)
        known = known && (number = word_index(param->words, text)) >= 0;
    else
        known = known && read_number(text, &number);
    if (!known || !allowed_value(param, number)) {
        say_allowed(param, text, error);
        return -EDOM;
    }
    set(self, index, number);
    return 0;
}

double detect_params_get(const struct detect_params *self, const char *name)
{
    int index = param_index(self, name, NULL);
    return index < 0 ? NAN : self->value[index];
}

int detect_params_check(const struct detect_params *self, struct detect_error *error)
{
    return !self->type->check || self->type->check(self, error) ? 0 : -EDOM;
}

int detect_params_promise(struct detect_params *self, double events, struct detect_error *error)
{
    if (!self->type->promise) {
        detect_say(error, "%s cannot promise a rate of false alarms", self->type->name);
        return -ENOTSUP;
    }
    int result = detect_params_check(self, error);
    if (result)
        return result;
    result = events >= 2 && events <= PROMISE_MOST ? self->type->promise(self, events) : -ERANGE;
    if (result == -ERANGE)
        detect_say(error, "%s with these parameters cannot keep to one false alarm in %g events", self->type->name,
                   events);
    if (!result)
        self->promise = events;
    return result;
}

int detect_params_check_promise(const struct detect_params *self, struct detect_error *error)
{
    return !self->type->chart || reference_check_promise(self, error) ? 0 : -EDOM;
}

int detect_params_strictest(struct detect_params *self)
{
    return self->type->chart ? reference_strictest(self) : -ENOTSUP;
}

int detect_params_promise_most(const struct detect_params *self, double *out)
{
    return self->type->chart ? reference_promise_most(self, out) : -ENOTSUP;
}

int detect_params_chart(const struct detect_params *self, struct chart *out)
{
    if (!self->type->chart)
        return -ENOTSUP;
    self->type->chart(self, out);
    if (self->stages > 0)
        out->limit = self->stage[self->stages - 1].limit[0];
    return 0;
}
