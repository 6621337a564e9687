/* What the sockets are bound to, at the start and after a reload. */
#include <string.h>

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

struct doors_wish engine_events_doors(const struct config *config, const struct engine_keys *keys)
{
    return wish_of(&config->events, &config->security.overlap.events, keys);
}

struct job_doors engine_job_doors(const struct config *config, const struct engine_keys *keys)
{
    return (struct job_doors){.jobs = wish_of(&config->jobs.bind, &config->security.overlap.jobs, keys),
                              .feedback = wish_of(&config->feedback, &config->security.overlap.feedback, keys)};
}

static bool tell_owner(struct engine *self, struct inbox *inbox, struct doors_letter *letter)
{
    letter->reply_to = self->inbox;
    bool sent = inbox_put(inbox, (struct letter){.kind = LETTER_DOORS, .body = letter}) == 0;
    self->reload.awaited += sent;
    return sent;
}

/* Nodes, and what trainers say, are asked for their right with every message: only who receives has to be cut off. */
bool engine_doors_tell(struct engine *self, const bool revoked[KEYRING_ROLES])
{
    const struct config *config = self->config;
    struct engine_doors *doors = &self->reload.doors;
    self->keys = doors->keys;
    doors->metrics = (struct doors_letter){.wish = engine_metrics_doors(config, &self->keys)};
    doors->events = (struct doors_letter){.wish = engine_events_doors(config, &self->keys)};
    doors->jobs = engine_job_doors(config, &self->keys);
    doors->events.wish.cut = revoked[KEYRING_OBSERVER];
    doors->jobs.jobs.cut = revoked[KEYRING_TRAINER];
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
