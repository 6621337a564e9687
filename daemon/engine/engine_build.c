/* The start: every socket first, so that what is taken is known before anything runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/random.h"
#include "daemon/engine/inside.h"

static int exit_of(int error)
{
    switch (-error) {
    case EINVAL:
        return EXIT_CONFIGURATION;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return EXIT_OUR_BUG;
    default:
        return EXIT_TAKEN;
    }
}

static int exit_of_store(int error)
{
    switch (-error) {
    case EBUSY:
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case ENODEV:
        return EXIT_TAKEN;
    case EINVAL:
        return EXIT_CONFIGURATION;
    case ENOMEM:
        return EXIT_OUR_BUG;
    default:
        return EXIT_IO;
    }
}

int engine_fail(int status, const char *why)
{
    log_error(why, LOG_NUMBER("exit_status", status));
    return status;
}

/* Makes the folder of a path, and those above it. What cannot be made is found out by who wants to use it. */
static void make_folders(const char *path, bool whole)
{
    char at[4096];
    if (strlen(path) >= sizeof at)
        return;
    strcpy(at, path);
    for (char *slash = strchr(at + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(at, 0750);
        *slash = '/';
    }
    if (whole)
        mkdir(at, 0750);
}

/* In a folder that everybody may write to, somebody else may have made ours first. */
static bool folder_is_ours(const char *socket_path)
{
    char folder[4096];
    struct stat st;
    const char *slash = strrchr(socket_path, '/');
    if (!slash || slash == socket_path || (size_t)(slash - socket_path) >= sizeof folder)
        return true;
    memcpy(folder, socket_path, (size_t)(slash - socket_path));
    folder[slash - socket_path] = '\0';
    return lstat(folder, &st) < 0 || st.st_uid == geteuid() || st.st_uid == 0;
}

/* A unit has its folders from the service manager; elsewhere they are made on the first start. */
static int prepare_folders(const struct config *config)
{
    if (getenv("STATE_DIRECTORY"))
        return EXIT_STOPPED;
    make_folders(config->state.dir, true);
    for (uint32_t i = 0; i < config->control.count; i++) {
        const char *path = config->control.at[i] + 6;
        if (strncmp(config->control.at[i], "ipc:///", 7) != 0)
            continue;
        make_folders(path, false);
        if (!folder_is_ours(path))
            return engine_fail(EXIT_TAKEN, "control.bind: the folder of the control socket belongs to somebody else");
    }
    return EXIT_STOPPED;
}

/* An address that somebody wrote down has to be had; the one that stands where nobody did is worth a warning only. */
static int open_http(struct engine *self)
{
    char why[ENDPOINT_WHY_MAX];
    struct config_place place;
    struct http_options options = engine_http_options(self->config);
    if (!options.listen)
        return EXIT_STOPPED;
    int rc = http_new(&self->http, &options, why);
    if (rc == 0)
        return EXIT_STOPPED;
    if (config_place_of(self->config, "http.listen", &place))
        return engine_fail(exit_of(rc), why);
    log_warning("no status page and no metrics: their address is not to be had; set http.listen to another one, or to "
                "off",
                LOG_TEXT("why", why));
    return EXIT_STOPPED;
}

/* But those of dispatch: they are made in the thread that uses them, when the requests station starts. */
static int open_sockets(struct engine *self)
{
    char why[ENDPOINT_WHY_MAX] = "no memory to start with";
    const struct config *config = self->config;
    struct ingest_options ingest = engine_ingest_options(config);
    struct doors_letter events = engine_events_doors(config, &self->keys, &self->own);
    ingest.doors = engine_metrics_doors(config, &self->keys);
    int rc = handshakes_new(&self->handshakes);
    ingest.handshakes = self->handshakes;
    if (rc == 0)
        rc = control_new(&self->control, config->control.at, config->control.count, why);
    if (rc == 0)
        rc = ingest_new(&self->ingest, &ingest, why);
    if (rc == 0)
        rc = observe_new(&self->observe, &events, self->handshakes, why);
    if (rc == 0) {
        struct dispatch_options dispatch = {.doors = engine_job_doors(config, &self->keys, &self->own),
                                            .feedback_required = config->jobs.feedback == CONFIG_FEEDBACK_REQUIRED,
                                            .handshakes = self->handshakes,
                                            .keyring = self->keyring};
        rc = dispatch_new(&self->dispatch, &dispatch);
    }
    if (rc < 0)
        return engine_fail(exit_of(rc), why);
    /* Without it the daemon does all that it is there for. */
    if (tap_new(&self->tap, config->control.at[0], why) < 0)
        log_warning("`driftc record` will not work", LOG_TEXT("why", why));
    return open_http(self);
}

static int make_shards(struct engine *self)
{
    const struct config *config = self->config;
    struct shard_ports ports = engine_shard_ports(self);
    struct workers_options options = {.threads = engine_worker_threads(config),
                                      .lend_by = engine_lends_a_thread(config) ? clock_cpu_ns : NULL,
                                      .max_message_bytes = config->metrics.max_message_bytes,
                                      .max_future_s = (double)config->metrics.max_future_ns / 1e9,
                                      .max_models = config->metrics.max_models,
                                      .ceiling = &self->memory.ceiling,
                                      .keyring = self->keyring,
                                      .keep_ns = config->state.keep_ns};
    engine_memory_begin(self);
    int rc = engine_streams_key(self, &options.key);
    if (rc == 0)
        rc = random_bytes(&options.run, sizeof options.run);
    if (rc == 0)
        rc = workers_new(&self->workers, &options, &ports);
    return rc == 0 ? EXIT_STOPPED : engine_fail(EXIT_OUR_BUG, "no memory, descriptors or random bytes to start with");
}

/* Opens the store; the shards hear of every model that it knows before the first frame comes. */
static int start_requests(struct engine *self)
{
    char why[REQUESTS_WHY_MAX] = "the requests station did not start";
    uint32_t count = self->config->retraining.project_count;
    struct requests_project *projects = calloc(count + 1, sizeof *projects);
    if (!projects)
        return engine_fail(EXIT_OUR_BUG, "no memory to start with");
    struct requests_options options = engine_requests_options(self, self->config, projects);
    struct requests_ports ports = engine_requests_ports(self);
    int rc = requests_start(&self->requests, &options, &ports, why);
    free(projects);
    if (rc < 0)
        return engine_fail(exit_of_store(rc), why);
    /* All sockets are there, and some can be reached already. */
    return handshakes_start(self->handshakes) == 0 ? EXIT_STOPPED
                                                   : engine_fail(EXIT_OUR_BUG, "a thread could not be started");
}

/* Monitors go on where they were: once the store is ours, and with it the folder, and before any frame or letter reaches a
 * shard. What the store knows of a model waits in its shard's inbox meanwhile, and has the last word. */
static int restore_monitors(struct engine *self)
{
    struct checkpoint_options options = {.state_dir = self->config->state.dir,
                                         .every_ns = self->config->state.checkpoint_ns,
                                         .shards = workers_shards(self->workers)};
    struct checkpoint_ports ports = engine_checkpoint_ports(self);
    if (checkpoint_new(&self->checkpoint, &options, &ports) < 0)
        return engine_fail(EXIT_OUR_BUG, "no memory or descriptor to start with");
    checkpoint_restore(self->checkpoint, &self->back);
    engine_streams_go_on(self);
    return EXIT_STOPPED;
}

/* Whoever is told something starts before whoever tells it; what comes from outside starts last. */
static int start_threads(struct engine *self)
{
    struct control_ports control = engine_control_ports(self);
    struct ingest_sink sink = {
        .argument = self->workers, .take = workers_take, .turn = workers_turn, .fd = workers_fd(self->workers)};
    engine_memory_enlarge(self);
    int rc = observe_start(self->observe);
    if (rc == 0 && self->tap)
        rc = tap_start(self->tap);
    if (rc == 0)
        rc = workers_start(self->workers);
    self->shards_ran = rc == 0;
    if (rc == 0)
        rc = checkpoint_start(self->checkpoint);
    if (rc == 0)
        rc = ingest_start(self->ingest, &sink);
    if (rc == 0)
        rc = control_start(self->control, &control);
    if (rc == 0 && self->http)
        rc = http_start(self->http, control_inbox(self->control));
    return rc == 0 ? EXIT_STOPPED : engine_fail(EXIT_OUR_BUG, "a thread could not be started");
}

int engine_build(struct engine *self)
{
    int status = inbox_new(&self->inbox) == 0 ? EXIT_STOPPED
                                              : engine_fail(EXIT_OUR_BUG, "no memory or descriptor to start with");
    if (status == EXIT_STOPPED)
        status = prepare_folders(self->config);
    if (status == EXIT_STOPPED)
        status = engine_security_open(self);
    if (status == EXIT_STOPPED)
        status = open_sockets(self);
    if (status == EXIT_STOPPED)
        status = make_shards(self);
    if (status == EXIT_STOPPED)
        status = start_requests(self);
    if (status == EXIT_STOPPED)
        status = restore_monitors(self);
    if (status == EXIT_STOPPED)
        status = start_threads(self);
    return status;
}
