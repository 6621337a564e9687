/* inside.h - what the files of the engine share; for them alone.
 *
 * Threads: the main thread, but for what stations call: engine_ports.c says which.
 */
#ifndef DRIFTD_ENGINE_INSIDE_H
#define DRIFTD_ENGINE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include <jansson.h>

#include "daemon/base/ceiling.h"
#include "daemon/base/large_pages.h"
#include "daemon/checkpoint/checkpoint.h"
#include "daemon/control/control.h"
#include "daemon/dispatch/dispatch.h"
#include "daemon/engine/engine.h"
#include "daemon/ingest/ingest.h"
#include "daemon/observe/http.h"
#include "daemon/observe/observe.h"
#include "daemon/observe/tap.h"
#include "daemon/requests/requests.h"
#include "daemon/security/security.h"
#include "daemon/workers/workers.h"
#include "lib/config/config.h"

#define HOST_MAX 256
#define HEARTS_MAX (WORKERS_MAX + 9)

/* When a heart was last seen to beat. */
struct pulse {
    const char *name;
    const struct heart *heart;
    uint64_t count;
    int64_t seen_ns;
};

#define RELOAD_ASKERS_MAX 64

/* The names of all models, one behind the other, each with its NUL: whose settings a reload works out beforehand. */
struct roll {
    char *at;
    size_t len, room;
    uint32_t count;
    bool lacks; /* there was no memory for some */
};

/* The server's keys of CURVE. */
struct engine_keys {
    bool on, overlap;
    struct curve_server first, second; /* the second where there is an overlap */
};

/* Sockets of single projects. */
struct engine_own {
    struct doors_project jobs[CONFIG_PROJECTS_MAX], events[CONFIG_PROJECTS_MAX];
};

/* What a reload wants of the sockets, and what came of it. */
struct engine_doors {
    struct engine_keys keys;
    struct engine_own own;
    struct doors_letter metrics, events;
    struct job_doors jobs;
};

/* Whose sockets cannot choose among their peers: jobs and events of all projects, then of each that has its own. */
#define ENGINE_REVOKED_MAX (2 + 2 * CONFIG_PROJECTS_MAX)
struct engine_revoked {
    struct keyring_socket at[ENGINE_REVOKED_MAX];
    uint32_t count; /* 0: nobody was */
};

/* How the configuration is read again: engine_reload.c. */
struct reload {
    pthread_t thread;
    bool building;         /* the thread reads and works out, or has done so and was not heard yet */
    atomic_bool cancelled; /* nobody waits for it any more */
    struct config *next;   /* what it has made; NULL: it could not */
    json_t *errors;        /* why not */
    const char *code;      /* and of what kind that is */

    uint32_t awaited;   /* stations that still use the old one */
    bool half;          /* and some could not be told: it stays to the end */
    struct config *old; /* until then */
    struct requests_project *projects;
    bool in_force; /* what is wrong is no mistake of the configuration: it has been taken */
    struct engine_doors doors;
    struct engine_revoked revoked;
    atomic_uint changed; /* models with other settings */

    bool again; /* somebody asked for another one meanwhile */
    struct question *askers[RELOAD_ASKERS_MAX], *waiting[RELOAD_ASKERS_MAX];
    uint32_t asker_count, waiting_count;
    struct now began;
    uint64_t count; /* of reloads */
    uint64_t max_message_bytes; /* that the metrics socket was made for */

    pthread_mutex_t mutex; /* of what follows: how the last one went */
    bool refused;
    char at[CLOCK_TEXT_MAX]; /* "": none since the start */
    json_t *told;            /* its errors, the first of them */
};

/* How much memory there may be, in bytes: engine_memory.c. */
struct memory {
    struct ceiling ceiling;    /* of models */
    double all;                /* what the configuration allows, */
    double kept;               /* and what is kept to: less where the machine or its control group has less */
    int64_t limit, machine;    /* what there is */
    int64_t model, model_most; /* one of the usual shape; and of 64 metrics */
    int64_t most;              /* of all models */
    atomic_llong in_use;       /* of the process, as last measured; */
    atomic_llong told_kept;    /* and `kept`, for other threads */
    int64_t looked_ns, refused_ns;
    int64_t ask_ns; /* the allocator, no sooner */
    uint64_t refused; /* as last looked at */
    atomic_bool full; /* something was refused of late, and the log was told */
};

/* How far senders' numbers had come when the daemon was stopped, as read at the start. */
struct streams_back {
    int rc;
    uint8_t *bytes;
    size_t size;
};

struct engine {
    struct config *config; /* changed by the main thread alone, under settings_mutex */
    struct engine_files files;
    int signal_fd;
    struct inbox *inbox;       /* alarms */
    char source[HOST_MAX + 8]; /* "driftd/<host>" */
    struct now started;

    struct keyring *keyring; /* NULL: there is no CURVE */
    struct engine_keys keys;
    struct engine_own own; /* of the start; dispatch borrows it until its sockets are open */
    struct security *security;
    struct ingest *ingest;
    struct workers *workers;
    struct requests *requests;
    struct dispatch *dispatch;
    struct observe *observe;
    struct handshakes *handshakes;
    struct tap *tap; /* NULL: nothing can be recorded */
    struct checkpoint *checkpoint;
    bool shards_ran; /* their models are whole: there is something to keep */
    struct checkpoint_restored back; /* what came back at the start */
    struct streams_back streams_back;
    struct control *control;
    struct http *http; /* NULL: switched off, or its address was not to be had */

    pthread_mutex_t settings_mutex; /* config_settings_for() is for one thread at a time; and of `roll` */
    struct roll roll;
    struct reload reload;
    atomic_uint restored;           /* models that the store knew at the start */

    struct memory memory;
    struct large_pages *large_pages; /* NULL: the kernel has none */

    struct pulse pulses[HEARTS_MAX];
    uint32_t pulse_count;
    int64_t watchdog_ns, looked_ns, status_ns;
    uint64_t status_events;
};

/* engine_build.c: makes and starts every station. EXIT_STOPPED, or the exit status of what the log was told. */
int engine_build(struct engine *self);
/* Tells the log why the daemon ends. Returns `status`. */
int engine_fail(int status, const char *why);

/* engine_config.c */
/* `mistake` NULL: to standard error. */
int engine_load(struct config **self_p, const struct engine_files *files, bool no_env, config_error_fn *mistake,
                void *argument);
uint32_t engine_worker_threads(const struct config *config);
/* Whether a thread is to judge where that is measured to pay: few cores, and `workers: auto`. */
bool engine_lends_a_thread(const struct config *config);
uint32_t engine_budget_count(const struct config *config);
void engine_open_log(const struct config *config);
void engine_set_log_level(const struct config *config);
struct ingest_options engine_ingest_options(const struct config *config);
struct http_options engine_http_options(const struct config *config);
/* `projects` must hold config->retraining.project_count of them. */
struct requests_options engine_requests_options(const struct engine *self, const struct config *config,
                                                struct requests_project *projects);
/* What of the configuration in force nobody can have meant: sentences, for the caller to let go; NULL: nothing. Or to the log. */
json_t *engine_warnings(const struct engine *self);
void engine_warn(const struct engine *self);

/* engine_security.c: CURVE, where the configuration turns it on. Opened before every other socket, closed after them. */
int engine_security_open(struct engine *self);
/* What of it a person has to know at the start. */
void engine_security_say(const struct engine *self);
void engine_security_close(struct engine *self);
/* Reads the server's keys as the configuration names them. 0; negative after `error` was told what is wrong. */
int engine_security_keys(struct engine_keys *out, const struct config *config, config_error_fn *error, void *argument);
/* Reads the files of keys as a start would, and tells of all that is wrong with them. 0 or a negative error. */
int engine_security_check(const struct config *config, config_error_fn *error, void *argument);
/* Reads clients.yaml again and puts it in place. 0; negative after `error` was told of everything that is wrong: the
 * table that was stays. `revoked`: from which sockets a key has gone, whose connections stay until they are cut; NULL:
 * nobody asks. It borrows from `config`. */
int engine_security_replace(struct engine *self, const struct config *config, config_error_fn *error, void *argument,
                            struct engine_revoked *revoked);

/* engine_doors.c: what the sockets are bound to. All that a wish points to is borrowed from `config` and `keys`, and
 * the wishes of single projects are put into `own`. */
struct doors_wish engine_metrics_doors(const struct config *config, const struct engine_keys *keys);
struct doors_letter engine_events_doors(const struct config *config, const struct engine_keys *keys,
                                        struct engine_own *own);
struct job_doors engine_job_doors(const struct config *config, const struct engine_keys *keys, struct engine_own *own);
/* Tells the owners of the sockets what a reload wants of them; the requests station hears of it with its renewal. */
bool engine_doors_tell(struct engine *self, const struct engine_revoked *revoked);
/* After all have answered: what could not be bound, in sentences. */
void engine_doors_told(struct engine *self, config_error_fn *error, void *argument);

/* At the start: the endpoints of single projects, as they are bound. */
void engine_doors_say(const struct engine *self);

/* engine_memory.c: works out how much memory the configuration allows; tells the log; again after a reload. */
void engine_memory_begin(struct engine *self);
void engine_memory_say(const struct engine *self);
void engine_memory_renew(struct engine *self);
/* Once a second: measures, and says when nothing new can be made. Facts for the status: any thread. */
void engine_memory_look(struct engine *self, int64_t now_ns);
/* Has what there is of it, and comes, put into large pages from now on, where the kernel can. */
void engine_memory_enlarge(struct engine *self);
json_t *engine_memory_facts(struct engine *self);

/* engine_ports.c: the functions by which stations reach one another. */
struct shard_ports engine_shard_ports(struct engine *self);
struct requests_ports engine_requests_ports(struct engine *self);
struct control_ports engine_control_ports(struct engine *self);
struct checkpoint_ports engine_checkpoint_ports(struct engine *self);

/* engine_explain.c: the control station's port for what only the configuration can answer. */
json_t *engine_answer(void *argument, const json_t *ask, json_t *answer);
/* engine_reload.c: reads the configuration again and puts it into force; whatever happens, `asker` is answered. NULL: a
 * signal asks. */
void engine_reload_init(struct engine *self);
void engine_reload(struct engine *self, struct question *asker);
void engine_reload_built(struct engine *self);   /* LETTER_BUILT */
void engine_reload_renewed(struct engine *self); /* LETTER_RENEWED */
/* Waits for the thread, lets go of who asks. */
void engine_reload_end(struct engine *self);

/* engine_reload_build.c: the thread, which ends with LETTER_BUILT. */
void *engine_reload_build(void *engine);
/* A config_error_fn of `struct reload`: one more thing is wrong. */
void engine_reload_error(void *reload, const char *line);

/* engine_reload_tell.c: answers all who asked, and tells observers, the status and the log. */
void engine_reload_tell(struct engine *self);
/* How the last one went: {"ok", "at", "errors"}; any thread. */
json_t *engine_reload_status(struct engine *self);
void engine_reload_reply(struct question *question, const char *text);

/* engine_streams.c: the key that the shards are made with, the one of the run before where it left something to go on with.
 * 0 or a negative error. Then, with the shards there and the store ours: goes on there. At the end, once no shard runs. */
int engine_streams_key(struct engine *self, struct siphash_key *out);
void engine_streams_go_on(struct engine *self);
void engine_streams_keep(struct engine *self);

/* engine_roll.c: whose settings are in use; under settings_mutex. */
void roll_add(struct roll *self, struct text model, uint32_t most);
void roll_clear(struct roll *self);

/* engine_watch.c: whether the stations are alive, and what the service manager is told. */
void engine_watch_begin(struct engine *self, int64_t now_ns);
void engine_watch(struct engine *self, int64_t now_ns);
/* How long the main loop may sleep. */
int engine_watch_pause_ms(const struct engine *self);

#endif
