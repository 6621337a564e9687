#include "cli/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/member.h"
#include "cli/say.h"
#include "cli/visible.h"
#include "lib/wire/json_wide.h"

#define VARIABLE_MOST 65536 /* bytes: an environment has no room for more; standard input has it whole */

static char *copy_of(struct text text)
{
    return must(strndup(text.at, text.len));
}

static char *model_of(const json_t *model)
{
    char *name, *visible;
    struct text project = member_text(model, "project"), short_name = member_text(model, "name"),
                version = member_text(model, "version");
    if (asprintf(&name, "%.*s/%.*s/%.*s", (int)project.len, project.at, (int)short_name.len, short_name.at,
                 (int)version.len, version.at) < 0)
        must(NULL);
    visible = visible_of(text_of(name));
    free(name);
    return visible;
}

struct job *job_read(struct text text, const char **why_p)
{
    json_t *root = json_wide_read(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *data = json_object_get(root, "data");
    struct text request = member_text(data, "request");
    int64_t attempt = member_count(data, "attempt");
    *why_p = !json_is_object(root) ? "it is no JSON object"
             : !request.len        ? "it names no request"
             : attempt < 1         ? "it has no attempt number"
                                   : NULL;
    if (*why_p) {
        json_decref(root);
        return NULL;
    }
    struct job *self = must(calloc(1, sizeof *self));
    self->text = (struct text){.at = copy_of(text), .len = text.len};
    self->root = root;
    self->data = data;
    self->request = copy_of(request);
    self->attempt = attempt;
    self->model = model_of(json_object_get(data, "model"));
    return self;
}

/* A growing list of NAME=value, which ends with NULL. */
struct environment {
    char **at;
    size_t count;
};

static void append(struct environment *self, char *variable)
{
    self->at = must(reallocarray(self->at, self->count + 2, sizeof *self->at));
    self->at[self->count++] = must(variable);
    self->at[self->count] = NULL;
}

/* Values come from outside: a command that quotes its variables is safe from them. */
static void set(struct environment *self, const char *name, struct text value)
{
    char *variable;
    if (value.len > VARIABLE_MOST)
        return;
    if (asprintf(&variable, "DRIFT_%s=%.*s", name, (int)value.len, value.at) < 0)
        must(NULL);
    append(self, variable);
}

static void set_number(struct environment *self, const char *name, const json_t *number)
{
    char text[64] = "";
    if (json_is_integer(number))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(number));
    else if (json_is_real(number))
        snprintf(text, sizeof text, "%.15g", json_real_value(number));
    if (json_is_real(number) && strtod(text, NULL) != json_real_value(number))
        snprintf(text, sizeof text, "%.17g", json_real_value(number));
    set(self, name, text_of(text));
}

static void set_json(struct environment *self, const char *name, const json_t *value)
{
    char *text = json_is_object(value) ? must(json_dumps(value, JSON_COMPACT)) : must(strdup("{}"));
    set(self, name, text_of(text));
    free(text);
}

static void set_model(struct environment *self, const json_t *model)
{
    char *whole;
    struct text project = member_text(model, "project"), name = member_text(model, "name"),
                version = member_text(model, "version");
    if (asprintf(&whole, "%.*s/%.*s/%.*s", (int)project.len, project.at, (int)name.len, name.at, (int)version.len,
                 version.at) < 0)
        must(NULL);
    set(self, "MODEL", text_of(whole));
    set(self, "PROJECT", project);
    set(self, "NAME", name);
    set(self, "VERSION", version);
    free(whole);
}

char **job_environment(const struct job *self, const char *trainer, double lease_s)
{
    struct environment all = {0};
    const json_t *trigger = json_object_get(self->data, "trigger");
    for (char **inherited = environ; *inherited; inherited++) {
        if (strncmp(*inherited, "DRIFT_", 6) != 0)
            append(&all, strdup(*inherited));
    }
    set(&all, "REQUEST", text_of(self->request));
    set_number(&all, "ATTEMPT", json_object_get(self->data, "attempt"));
    set_model(&all, json_object_get(self->data, "model"));
    set(&all, "STRATEGY", member_text(self->data, "strategy"));
    set(&all, "STRATEGY_REASON", member_text(self->data, "strategy_reason"));
    set_json(&all, "PARAMETERS", json_object_get(self->data, "parameters"));
    set(&all, "RULE", member_text(trigger, "rule"));
    set(&all, "METRIC", member_text(trigger, "metric"));
    set_number(&all, "OBSERVED", json_object_get(trigger, "observed"));
    set_number(&all, "LIMIT", json_object_get(trigger, "limit"));
    set(&all, "TRAINER", text_of(trainer));
    json_t *lease = must(json_real(lease_s));
    set_number(&all, "LEASE_S", lease);
    json_decref(lease);
    return all.at;
}

void job_environment_free(char **environment)
{
    for (char **variable = environment; *variable; variable++)
        free(*variable);
    free(environment);
}

void job_destroy(struct job **self_p)
{
    struct job *self = *self_p;
    if (!self)
        return;
    free((char *)self->text.at);
    json_decref(self->root);
    free(self->request);
    free(self->model);
    free(self);
    *self_p = NULL;
}
