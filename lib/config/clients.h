/* clients.h - who may speak to the daemon under CURVE: clients.yaml, read as strictly as the configuration.
 *
 *     - {key: "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", name: camera-7, role: node, projects: [visutility]}
 *
 * `projects` missing, or ["*"]: all of them. Jobs and events go to whoever is connected: a trainer's or an observer's
 * key can be limited to projects that have endpoints of their own, and a file that asks for more is refused with that
 * sentence.
 *
 * Threads: pure functions on values. Memory: what is read lives until config_clients_destroy(). Failure: as
 * config_load().
 */
#ifndef DRIFT_LIB_CONFIG_CLIENTS_H
#define DRIFT_LIB_CONFIG_CLIENTS_H

#include "lib/config/config.h"

#define CONFIG_CLIENT_KEY_LEN 40   /* Z85 */
#define CONFIG_CLIENT_NAME_MAX 128 /* bytes */
#define CONFIG_CLIENTS_MAX 100000
#define CONFIG_CLIENT_PROJECTS_MAX 1000

enum config_role { CONFIG_ROLE_NODE, CONFIG_ROLE_TRAINER, CONFIG_ROLE_OBSERVER, CONFIG_ROLES };

struct config_client {
    const char *key, *name;
    enum config_role role;
    const char *const *projects;
    uint32_t project_count; /* 0: all */
};

struct config_clients {
    const struct config_client *at;
    uint32_t count;
};

/* `own`: the projects that have endpoints of their own. */
int config_clients_load(struct config_clients **self_p, const char *path, const struct config_projects *own,
                        config_error_fn *error, void *argument);
int config_clients_parse(struct config_clients **self_p, const char *name, struct text yaml,
                         const struct config_projects *own, config_error_fn *error, void *argument);
void config_clients_destroy(struct config_clients **self_p);

/* Whether a text is a key of CURVE as Z85 writes it: 40 characters that decode to 32 bytes. */
bool config_client_key_valid(struct text key);

#endif
