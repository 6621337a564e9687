#include "lib/config/check.h"

#include <stdio.h>

#include "lib/config/endpoint.h"
#include "lib/config/read.h"

/* How a key was given. */
enum given { GIVEN_DEFAULT, GIVEN_GOOD, GIVEN_BAD };

static enum given given(const struct checker *self, const char *path, struct mark *mark_p)
{
    const struct key_place *place = record_at(&self->box->keys, path);
    if (!place)
        return GIVEN_DEFAULT;
    *mark_p = place->mark;
    return place->bad ? GIVEN_BAD : GIVEN_GOOD;
}

static void check_presence(struct checker *self)
{
    const struct config *config = &self->box->config;
    struct mark mark = {0}, other = {0};
    enum given bind = given(self, "metrics.bind", &mark), connect = given(self, "metrics.connect", &other);
    if (bind == GIVEN_GOOD && connect != GIVEN_BAD && config->metrics.bind.count + config->metrics.connect.count == 0)
        mistakes_add(
            self->mistakes, mark, "metrics.bind",
            "no endpoint here and none in metrics.connect; allowed: at least one of them, or no event comes in");
    if (given(self, "jobs.bind", &mark) == GIVEN_GOOD && config->jobs.bind.count == 0)
        mistakes_add(self->mistakes, mark, "jobs.bind", "no endpoint; allowed: at least one, or no job goes out");
    if (given(self, "feedback.bind", &mark) == GIVEN_GOOD && config->feedback.count == 0 &&
        given(self, "jobs.feedback", &other) != GIVEN_BAD && config->jobs.feedback == CONFIG_FEEDBACK_REQUIRED)
        mistakes_add(self->mistakes, mark, "feedback.bind",
                     "no endpoint; allowed: at least one, or jobs: {feedback: none} for trainers that only pull");
}

static void check_retry(struct checker *self)
{
    const struct config *config = &self->box->config;
    struct mark mark = {0}, max_mark = {0};
    enum given first = given(self, "jobs.retry.first", &mark), max = given(self, "jobs.retry.max", &max_mark);
    if (first == GIVEN_BAD || max == GIVEN_BAD || config->jobs.retry_first_ns <= config->jobs.retry_max_ns)
        return;
    if (first == GIVEN_GOOD && max == GIVEN_DEFAULT)
        mistakes_add(self->mistakes, mark, "jobs.retry.first",
                     "longer than jobs.retry.max, which is %s where nothing is set; allowed: up to it",
                     schema_row_of("jobs.retry.max")->standard);
    else if (first == GIVEN_GOOD)
        mistakes_add(self->mistakes, mark, "jobs.retry.first", "longer than jobs.retry.max; allowed: up to it");
    else
        mistakes_add(self->mistakes, max_mark, "jobs.retry.max",
                     "shorter than jobs.retry.first, which is %s where nothing is set; allowed: from it on",
                     schema_row_of("jobs.retry.first")->standard);
}

/* A key of endpoints that a socket binds. */
struct bound {
    char path[READ_KEY_MAX];
    const struct config_endpoints *endpoints;
    enum given given;
    struct mark mark;
    bool reaches; /* whoever it is for may be beyond this machine */
};

#define BOUND_MAX (9 + 2 * CONFIG_PROJECTS_MAX)

static void add_bound(struct bound *out, const struct config_endpoints *endpoints, const struct key_place *place,
                      const char *path, bool reaches)
{
    *out = (struct bound){.endpoints = endpoints, .given = GIVEN_DEFAULT, .reaches = reaches};
    snprintf(out->path, sizeof out->path, "%s", path);
    if (!place)
        return;
    out->mark = place->mark;
    out->given = place->bad ? GIVEN_BAD : GIVEN_GOOD;
}

static uint32_t add_own(const struct checker *self, struct bound *out)
{
    static const char *const keys[] = {"jobs", "events"};
    const struct config_projects *own = &self->box->config.projects;
    char row[64], path[READ_KEY_MAX], quoted[MISTAKES_QUOTE_MAX];
    for (uint32_t i = 0; i < 2 * own->count; i++) {
        const struct config_project *project = &own->at[i / 2];
        snprintf(row, sizeof row, "projects.<project>.%s", keys[i % 2]);
        snprintf(path, sizeof path, "projects.%s.%s", mistakes_key(text_of(project->project), quoted), keys[i % 2]);
        add_bound(&out[i], i % 2 ? &project->events : &project->jobs,
                  record_find(&self->box->own_keys[i / 2], schema_row_of(row)), path, true);
    }
    return 2 * own->count;
}

/* `out` has room for BOUND_MAX. */
static uint32_t all_bound(const struct checker *self, struct bound *out)
{
    const struct config *config = &self->box->config;
    const struct {
        const char *path;
        const struct config_endpoints *endpoints;
        bool reaches;
    } usual[] = {{"metrics.bind", &config->metrics.bind, true},
                 {"jobs.bind", &config->jobs.bind, true},
                 {"feedback.bind", &config->feedback, true},
                 {"events.bind", &config->events, true},
                 {"control.bind", &config->control, false},
                 {"security.overlap.metrics", &config->security.overlap.metrics, false},
                 {"security.overlap.jobs", &config->security.overlap.jobs, false},
                 {"security.overlap.feedback", &config->security.overlap.feedback, false},
                 {"security.overlap.events", &config->security.overlap.events, false}};
    uint32_t count = sizeof(usual) / sizeof(usual[0]);
    for (uint32_t i = 0; i < count; i++)
        add_bound(&out[i], usual[i].endpoints, record_find(&self->box->keys, schema_row_of(usual[i].path)),
                  usual[i].path, usual[i].reaches);
    return count + add_own(self, out + count);
}

static void tell_twice(struct checker *self, struct text endpoint, const struct bound *at, const struct bound *other)
{
    char quoted[MISTAKES_QUOTE_MAX];
    mistakes_add(self->mistakes, at->mark, at->path, "\"%s\" is that of %s too; allowed: an endpoint of its own",
                 mistakes_quote(endpoint, quoted), other->path);
}

/* Two sockets that would bind one endpoint. */
static void check_twice(struct checker *self, const struct bound *bound, uint32_t count)
{
    for (uint32_t a = 0; a < count; a++)
        for (uint32_t b = a + 1; b < count; b++)
            for (uint32_t i = 0; i < bound[a].endpoints->count; i++)
                for (uint32_t j = 0; j < bound[b].endpoints->count; j++) {
                    struct text first = text_of(bound[a].endpoints->at[i]), other = text_of(bound[b].endpoints->at[j]);
                    bool second = bound[b].given != GIVEN_DEFAULT;
                    if (endpoint_clashes(first, other))
                        tell_twice(self, second ? other : first, &bound[second ? b : a], &bound[second ? a : b]);
                }
}

/* The address of HTTP is given up where it stands by default, so only one that was written down can be wrong. */
static void check_listener(struct checker *self, const struct bound *bound, uint32_t count)
{
    const char *listen = self->box->config.http.listen;
    struct bound http = {.path = "http.listen"};
    if (given(self, http.path, &http.mark) != GIVEN_GOOD || !listen)
        return;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < bound[i].endpoints->count; j++)
            if (endpoint_clashes_with_listener(text_of(bound[i].endpoints->at[j]), text_of(listen)))
                tell_twice(self, text_of(listen), &http, &bound[i]);
}

static void check_choice(struct checker *self)
{
    const struct config *config = &self->box->config;
    char allowed[SCHEMA_ALLOWED_MAX], quoted[MISTAKES_QUOTE_MAX], names[SCHEMA_ALLOWED_MAX] = "";
    struct mark mark = {0};
    if (given(self, "retraining.choose", &mark) != GIVEN_GOOD)
        return;
    struct text choose = text_of(config->retraining.choose);
    if (strategy_choice_check(choose, config->retraining.strategies, config->retraining.strategy_count) == 0)
        return;
    size_t length = 0;
    for (uint32_t i = 0; i < config->retraining.strategy_count && length < sizeof(names) - 80; i++)
        length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s", i > 0 ? ", " : "",
                                   config->retraining.strategies[i].name);
    mistakes_add(self->mistakes, mark, "retraining.choose", "\"%s\" is none of the strategies; allowed: %s: %s",
                 mistakes_quote(choose, quoted), schema_allowed(schema_row_of("retraining.choose"), allowed), names);
}

/* What leaves this machine in the clear can be read and forged by whoever is on the way. */
static void check_reach(struct checker *self, const struct bound *bound, uint32_t count)
{
    const struct config *config = &self->box->config;
    char quoted[MISTAKES_QUOTE_MAX];
    struct mark mark = {0};
    if (given(self, "security.curve", &mark) == GIVEN_BAD || given(self, "security.i_know", &mark) == GIVEN_BAD ||
        config->security.curve == CONFIG_CURVE_ON || config->security.i_know == CONFIG_YES)
        return;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; bound[i].reaches && bound[i].given == GIVEN_GOOD && j < bound[i].endpoints->count; j++) {
            struct text endpoint = text_of(bound[i].endpoints->at[j]);
            if (!endpoint_is_local(endpoint))
                mistakes_add(self->mistakes, bound[i].mark, bound[i].path,
                             "\"%s\" listens beyond this machine, and anybody there could read and forge what is sent; "
                             "allowed: security: {curve: on}, an endpoint on 127.0.0.1, or security: {curve: off, "
                             "i_know: true}",
                             mistakes_quote(endpoint, quoted));
        }
    }
}

/* A second key serves only beside a first. */
static void check_overlap(struct checker *self)
{
    const struct config *config = &self->box->config;
    const struct {
        const char *path;
        const struct config_endpoints *endpoints;
    } bound[] = {{"security.overlap.metrics", &config->security.overlap.metrics},
                 {"security.overlap.jobs", &config->security.overlap.jobs},
                 {"security.overlap.feedback", &config->security.overlap.feedback},
                 {"security.overlap.events", &config->security.overlap.events}};
    struct mark mark = {0};
    if (given(self, "security.curve", &mark) == GIVEN_BAD || config->security.curve == CONFIG_CURVE_ON)
        return;
    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++)
        if (given(self, bound[i].path, &mark) == GIVEN_GOOD && bound[i].endpoints->count > 0)
            mistakes_add(self->mistakes, mark, bound[i].path,
                         "an endpoint of a second key, and there is no first; allowed with security: {curve: on}");
}

/* HTTP asks for no key and is not encrypted, with CURVE or without. */
static void check_http(struct checker *self)
{
    const struct config *config = &self->box->config;
    char quoted[MISTAKES_QUOTE_MAX];
    struct mark mark = {0};
    if (given(self, "security.i_know", &mark) == GIVEN_BAD || config->security.i_know == CONFIG_YES)
        return;
    if (given(self, "http.listen", &mark) != GIVEN_GOOD || !config->http.listen)
        return;
    struct text listen = text_of(config->http.listen);
    if (!endpoint_listen_is_local(listen))
        mistakes_add(
            self->mistakes, mark, "http.listen",
            "\"%s\" listens beyond this machine, and HTTP asks for no key: anybody there could read how every "
            "model stands; allowed: an address on 127.0.0.1 (with a proxy before it that asks who is there), or "
            "security: {i_know: true}",
            mistakes_quote(listen, quoted));
}

/* The control socket asks for no key: who can open it may command. */
static void check_control(struct checker *self)
{
    const struct config *config = &self->box->config;
    struct mark mark = {0};
    char quoted[MISTAKES_QUOTE_MAX];
    if (given(self, "control.bind", &mark) != GIVEN_GOOD || config->security.curve != CONFIG_CURVE_ON)
        return;
    for (uint32_t i = 0; i < config->control.count; i++) {
        struct text endpoint = text_of(config->control.at[i]);
        if (endpoint.len > 6 && memcmp(endpoint.at, "tcp://", 6) == 0)
            mistakes_add(self->mistakes, mark, "control.bind",
                         "\"%s\" knows no CURVE, and anybody on this machine could command; allowed with security.curve: "
                         "on: ipc://path", mistakes_quote(endpoint, quoted));
    }
}

static void check_bound(struct checker *self)
{
    struct bound *bound = arena_take(self->scratch, BOUND_MAX, sizeof *bound);
    uint32_t count = bound ? all_bound(self, bound) : 0;
    check_reach(self, bound, count);
    check_twice(self, bound, count);
    check_listener(self, bound, count);
}

void check_file(struct checker *self)
{
    check_bound(self);
    check_overlap(self);
    check_http(self);
    check_control(self);
    check_presence(self);
    check_retry(self);
    check_choice(self);
}
