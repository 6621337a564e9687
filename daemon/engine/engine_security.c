#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/engine/inside.h"
#include "lib/config/clients.h"

#define TOLD_MAX 1024 /* bytes of a mistake */

static const enum keyring_role roles[CONFIG_ROLES] = {[CONFIG_ROLE_NODE] = KEYRING_NODE,
                                                      [CONFIG_ROLE_TRAINER] = KEYRING_TRAINER,
                                                      [CONFIG_ROLE_OBSERVER] = KEYRING_OBSERVER};

/* The sockets that a key may be cut off from. */
static void begin_revoked(struct engine_revoked *self, const struct config *config)
{
    static const enum keyring_role cut[] = {KEYRING_TRAINER, KEYRING_OBSERVER};
    *self = (struct engine_revoked){.count = 2 + 2 * config->projects.count};
    for (uint32_t i = 0; i < self->count; i++) {
        self->at[i].role = cut[i % 2];
        self->at[i].project = i < 2 ? NULL : config->projects.at[i / 2 - 1].project;
    }
}

static int put_in_place(struct engine *self, const struct config_clients *clients, struct engine_revoked *revoked)
{
    struct keyring_entry *entries = calloc(clients->count + 1u, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    for (uint32_t i = 0; i < clients->count; i++) {
        const struct config_client *client = &clients->at[i];
        memcpy(entries[i].key, client->key, sizeof entries[i].key);
        entries[i].name = client->name;
        entries[i].role = roles[client->role];
        entries[i].projects = client->projects;
        entries[i].project_count = client->project_count;
    }
    int rc = keyring_replace(self->keyring, entries, clients->count, revoked ? revoked->at : NULL,
                             revoked ? revoked->count : 0);
    free(entries);
    return rc;
}

/* As every mistake of the configuration is told: file:line:column, where the key was set, or where CURVE was turned on
 * that asks for it. */
static void tell(const struct config *config, const char *key, const char *why, config_error_fn *error, void *argument)
{
    char line[TOLD_MAX];
    struct config_place place;
    if (config_place_of(config, key, &place) || config_place_of(config, "security.curve", &place))
        snprintf(line, sizeof line, "%s:%" PRIu32 ":%" PRIu32 ": %s: %s", place.file, place.line, place.column, key,
                 why);
    else
        snprintf(line, sizeof line, "%s: %s", key, why);
    error(argument, line);
}

static int read_clients(struct config_clients **clients, const struct config *config, config_error_fn *error,
                        void *argument)
{
    char why[CURVE_WHY_MAX];
    int rc = security_check_clients(config->security.clients, why);
    *clients = NULL;
    if (rc < 0)
        tell(config, "security.clients", why, error, argument);
    return rc < 0 ? rc : config_clients_load(clients, config->security.clients, &config->projects, error, argument);
}

int engine_security_keys(struct engine_keys *out, const struct config *config, config_error_fn *error, void *argument)
{
    char why[CURVE_WHY_MAX];
    *out = (struct engine_keys){.on = config->security.curve != CONFIG_CURVE_OFF};
    int rc = out->on ? security_read_key(&out->first, config->security.server_key, why) : 0;
    if (rc < 0)
        tell(config, "security.server_key", why, error, argument);
    out->overlap = out->on && config->security.overlap.metrics.count + config->security.overlap.jobs.count +
                                      config->security.overlap.feedback.count + config->security.overlap.events.count >
                                  0;
    int second = out->overlap ? security_read_key(&out->second, config->security.overlap.server_key, why) : 0;
    if (second < 0)
        tell(config, "security.overlap.server_key", why, error, argument);
    return rc < 0 ? rc : second;
}

int engine_security_replace(struct engine *self, const struct config *config, config_error_fn *error, void *argument,
                            struct engine_revoked *revoked)
{
    struct config_clients *clients;
    int rc = read_clients(&clients, config, error, argument);
    if (rc < 0)
        return rc;
    if (revoked)
        begin_revoked(revoked, config);
    rc = put_in_place(self, clients, revoked);
    if (rc < 0)
        error(argument, "memory is short: the table of clients stays as it was");
    config_clients_destroy(&clients);
    return rc;
}

int engine_security_check(const struct config *config, config_error_fn *error, void *argument)
{
    struct engine_keys keys;
    struct config_clients *clients;
    if (config->security.curve == CONFIG_CURVE_OFF)
        return 0;
    int rc = engine_security_keys(&keys, config, error, argument);
    int wrong = read_clients(&clients, config, error, argument);
    config_clients_destroy(&clients);
    explicit_bzero(&keys, sizeof keys);
    return rc < 0 ? rc : wrong;
}

static void print_mistake(void *argument, const char *line)
{
    (void)argument;
    fprintf(stderr, "%s\n", line);
}

static int fail(const char *why)
{
    log_error(why, LOG_NUMBER("exit_status", EXIT_CONFIGURATION));
    return EXIT_CONFIGURATION;
}

int engine_security_open(struct engine *self)
{
    char why[CURVE_WHY_MAX];
    const struct config *config = self->config;
    if (config->security.curve == CONFIG_CURVE_OFF)
        return EXIT_STOPPED;
    if (keyring_new(&self->keyring) < 0) {
        log_error("no memory to start with", LOG_NUMBER("exit_status", EXIT_OUR_BUG));
        return EXIT_OUR_BUG;
    }
    if (engine_security_keys(&self->keys, config, print_mistake, NULL) < 0)
        return fail("security.server_key: the key cannot be used as it is");
    if (engine_security_replace(self, config, print_mistake, NULL, NULL) < 0)
        return fail("security.clients: the file cannot be used as it is");
    if (security_start(&self->security, self->keyring, why) < 0)
        return fail(why);
    return EXIT_STOPPED;
}

void engine_security_say(const struct engine *self)
{
    const struct config *config = self->config;
    char public_key[CURVE_KEY_LEN + 1] = "", second_key[CURVE_KEY_LEN + 1] = "";
    if (self->security) {
        zmq_curve_public(public_key, self->keys.first.secret);
        if (self->keys.overlap)
            zmq_curve_public(second_key, self->keys.second.secret);
        log_info("CURVE is on: clients need the server's public key and one of their own in clients.yaml",
                 LOG_TEXT("server_key", public_key), LOG_TEXT("overlap_key", second_key),
                 LOG_NUMBER("clients", keyring_count(self->keyring)));
    } else if (config->security.i_know == CONFIG_YES) {
        log_warning("security: {curve: off, i_know: true}: what is sent can be read and forged by whoever reaches the "
                    "sockets");
    }
}

void engine_security_close(struct engine *self)
{
    security_stop(&self->security);
    keyring_destroy(&self->keyring);
    explicit_bzero(&self->keys, sizeof self->keys);
}
