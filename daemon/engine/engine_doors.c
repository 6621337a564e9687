/* What the sockets are bound to, at the start and after a reload. */
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/engine/inside.h"

/* `char **` does not become `const char *const *` by itself in C. */
static struct doors_set set_of(const struct config_endpoints *endpoints, const struct curve_server *curve)
{
    return (struct doors_set){.bind = (const char *const *)endpoints->at, .count = endpoints->count, .curve = curve};
}

static struct doors_wish wish_of(const struct config_endpoints *endpoints, const struct config_endpoints *overlap,
                                 const struct engine_keys *keys)
{
    struct doors_wish wish = {.sets = {set_of(endpoints, keys->on ? &keys->first : NULL)}};
    if (keys->overlap)
        wish.sets[1] = set_of(overlap, &keys->second);
    return wish;
}

struct doors_wish engine_metrics_doors(const struct config *config, const struct engine_keys *keys)
{
    return wish_of(&config->metrics.bind, &config->security.overlap.metrics, keys);
}

/* A project's own sockets have the one key: who is limited to it moves with another. */
static void add_own(struct doors_project *out, uint32_t *count, const char *project,
                    const struct config_endpoints *endpoints, const struct engine_keys *keys)
{
    if (endpoints->count > 0)
        out[(*count)++] = (struct doors_project){.project = project,
                                                 .wish = {.sets = {set_of(endpoints, keys->on ? &keys->first : NULL)}}};
}

struct doors_letter engine_events_doors(const struct config *config, const struct engine_keys *keys,
                                        struct engine_own *own)
{
    struct doors_letter letter = {.wish = wish_of(&config->events, &config->security.overlap.events, keys),
                                  .own = own->events};
    for (uint32_t i = 0; i < config->projects.count; i++)
        add_own(own->events, &letter.own_count, config->projects.at[i].project, &config->projects.at[i].events, keys);
    return letter;
}

struct job_doors engine_job_doors(const struct config *config, const struct engine_keys *keys, struct engine_own *own)
{
    struct job_doors doors = {.jobs = wish_of(&config->jobs.bind, &config->security.overlap.jobs, keys),
                              .feedback = wish_of(&config->feedback, &config->security.overlap.feedback, keys),
                              .own = own->jobs};
    for (uint32_t i = 0; i < config->projects.count; i++)
        add_own(own->jobs, &doors.own_count, config->projects.at[i].project, &config->projects.at[i].jobs, keys);
    return doors;
}

static void cut(const struct engine_revoked *revoked, enum keyring_role role, struct doors_wish *all,
                struct doors_project *own, uint32_t count)
{
    for (uint32_t i = 0; i < revoked->count; i++) {
        const struct keyring_socket *socket = &revoked->at[i];
        if (socket->role != role)
            continue;
        if (!socket->project)
            all->cut = socket->revoked;
        for (uint32_t k = 0; socket->project && k < count; k++)
            own[k].wish.cut = own[k].wish.cut || (socket->revoked && strcmp(own[k].project, socket->project) == 0);
    }
}

static bool tell_owner(struct engine *self, struct inbox *inbox, struct doors_letter *letter)
{
    letter->reply_to = self->inbox;
    bool sent = inbox_put(inbox, (struct letter){.kind = LETTER_DOORS, .body = letter}) == 0;
    self->reload.awaited += sent;
    return sent;
}

/* Nodes, and what trainers say, are asked for their right with every message: only who receives has to be cut off. */
bool engine_doors_tell(struct engine *self, const struct engine_revoked *revoked)
{
    const struct config *config = self->config;
    struct engine_doors *doors = &self->reload.doors;
    self->keys = doors->keys;
    doors->metrics = (struct doors_letter){.wish = engine_metrics_doors(config, &self->keys)};
    doors->events = engine_events_doors(config, &self->keys, &doors->own);
    doors->jobs = engine_job_doors(config, &self->keys, &doors->own);
    cut(revoked, KEYRING_OBSERVER, &doors->events.wish, doors->own.events, doors->events.own_count);
    cut(revoked, KEYRING_TRAINER, &doors->jobs.jobs, doors->own.jobs, doors->jobs.own_count);
    return tell_owner(self, ingest_inbox(self->ingest), &doors->metrics) &&
           tell_owner(self, observe_inbox(self->observe), &doors->events);
}

void engine_doors_told(struct engine *self, config_error_fn *error, void *argument)
{
    struct engine_doors *doors = &self->reload.doors;
    if (doors->metrics.error < 0)
        error(argument, doors->metrics.why);
    if (doors->jobs.error < 0)
        error(argument, doors->jobs.why);
    if (doors->events.error < 0)
        error(argument, doors->events.why);
    explicit_bzero(doors, sizeof *doors);
}

static void join(char *line, size_t size, const char *endpoint)
{
    size_t used = strlen(line);
    snprintf(line + used, size - used, "%s%s", used ? " " : "", endpoint);
}

void engine_doors_say(const struct engine *self)
{
    for (uint32_t i = 0; i < self->config->projects.count; i++) {
        const char *project = self->config->projects.at[i].project;
        char jobs[512] = "", events[512] = "", at[ENDPOINT_MAX];
        for (uint32_t n = 0; dispatch_own_endpoint(self->dispatch, project, n, at); n++)
            join(jobs, sizeof jobs, at);
        for (uint32_t n = 0; observe_own_endpoint(self->observe, project, n, at); n++)
            join(events, sizeof events, at);
        log_info("a project has endpoints of its own", LOG_TEXT("project", project), LOG_TEXT("jobs", jobs),
                 LOG_TEXT("events", events));
    }
}
