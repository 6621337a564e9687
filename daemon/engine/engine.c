#include "daemon/engine/engine.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/notify.h"
#include "daemon/base/random.h"
#include "daemon/engine/inside.h"

#define JOIN_LOOK_MS 20

/* --- failing --- */

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

static int fail(int status, const char *why)
{
    log_error(why, LOG_NUMBER("exit_status", status));
    return status;
}

/* --- building: every socket first, so that what is taken is known before anything runs --- */

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
            return fail(EXIT_TAKEN, "control.bind: the folder of the control socket belongs to somebody else");
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
        return fail(exit_of(rc), why);
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
    int rc = control_new(&self->control, config->control.at, config->control.count, why);
    if (rc == 0)
        rc = ingest_new(&self->ingest, &ingest, why);
    if (rc == 0)
        rc = observe_new(&self->observe, &events, why);
    if (rc == 0) {
        struct dispatch_options dispatch = {.doors = engine_job_doors(config, &self->keys, &self->own),
                                            .feedback_required = config->jobs.feedback == CONFIG_FEEDBACK_REQUIRED,
                                            .keyring = self->keyring};
        rc = dispatch_new(&self->dispatch, &dispatch);
    }
    if (rc < 0)
        return fail(exit_of(rc), why);
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
    int rc = random_bytes(&options.key, sizeof options.key);
    if (rc == 0)
        rc = random_bytes(&options.run, sizeof options.run);
    if (rc == 0)
        rc = workers_new(&self->workers, &options, &ports);
    return rc == 0 ? EXIT_STOPPED : fail(EXIT_OUR_BUG, "no memory, descriptors or random bytes to start with");
}

/* Opens the store; the shards hear of every model that it knows before the first frame comes. */
static int start_requests(struct engine *self)
{
    char why[REQUESTS_WHY_MAX] = "the requests station did not start";
    uint32_t count = self->config->retraining.project_count;
    struct requests_project *projects = calloc(count + 1, sizeof *projects);
    if (!projects)
        return fail(EXIT_OUR_BUG, "no memory to start with");
    struct requests_options options = engine_requests_options(self, self->config, projects);
    struct requests_ports ports = engine_requests_ports(self);
    int rc = requests_start(&self->requests, &options, &ports, why);
    free(projects);
    return rc == 0 ? EXIT_STOPPED : fail(exit_of_store(rc), why);
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
        return fail(EXIT_OUR_BUG, "no memory or descriptor to start with");
    checkpoint_restore(self->checkpoint, &self->back);
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
    return rc == 0 ? EXIT_STOPPED : fail(EXIT_OUR_BUG, "a thread could not be started");
}

/* --- what it says of itself --- */

static void join_endpoint(char *line, size_t size, const char *endpoint)
{
    size_t used = strlen(line);
    snprintf(line + used, size - used, "%s%s", used ? " " : "", endpoint);
}

static void say_what_runs(const struct engine *self)
{
    char metrics[1024] = "", events[512] = "", control[512] = "", jobs[512] = "", feedback[512] = "", at[ENDPOINT_MAX];
    for (uint32_t i = 0; ingest_endpoint(self->ingest, i, at); i++)
        join_endpoint(metrics, sizeof metrics, at);
    for (uint32_t i = 0; observe_endpoint(self->observe, i, at); i++)
        join_endpoint(events, sizeof events, at);
    for (uint32_t i = 0; i < control_endpoint_count(self->control); i++)
        join_endpoint(control, sizeof control, control_endpoint(self->control, i));
    for (uint32_t i = 0; dispatch_jobs_endpoint(self->dispatch, i, at); i++)
        join_endpoint(jobs, sizeof jobs, at);
    for (uint32_t i = 0; dispatch_feedback_endpoint(self->dispatch, i, at); i++)
        join_endpoint(feedback, sizeof feedback, at);
    log_info("driftd runs", LOG_TEXT("version", DRIFT_VERSION), LOG_TEXT("config", self->files.file),
             LOG_TEXT("metrics", metrics), LOG_TEXT("jobs", jobs), LOG_TEXT("feedback", feedback),
             LOG_TEXT("events", events), LOG_TEXT("control", control),
             LOG_TEXT("http", self->http ? http_address(self->http) : "off"),
             LOG_NUMBER("budgets", engine_budget_count(self->config)), LOG_NUMBER("models_restored", self->restored),
             LOG_NUMBER("monitors_restored", self->back.models), LOG_NUMBER("monitors_too_old", self->back.too_old),
             LOG_NUMBER("restore_ms", floor(self->back.seconds * 1e3 + 0.5)),
             LOG_NUMBER("workers", workers_judging(self->workers)));
    engine_doors_say(self);
    engine_security_say(self);
    engine_memory_say(self);
    if (!self->config->has_budgets)
        log_warning("no budgets are configured: models are shown, none is judged");
    if (self->config->jobs.feedback == CONFIG_FEEDBACK_NONE)
        log_warning(
            "jobs.feedback is none: a job counts as delivered once a trainer's connection took it, at most once; a "
            "trainer that dies with it loses it, and nobody hears how it went; `required` keeps each until it is done");
}

/* --- running --- */

enum turn { GO_ON, STOP_ASKED, STOP_ALARM };

static enum turn take_signal(struct engine *self)
{
    struct signalfd_siginfo info;
    if (read(self->signal_fd, &info, sizeof info) != sizeof info)
        return GO_ON;
    if (info.ssi_signo == SIGHUP) {
        engine_reload(self, NULL);
        return GO_ON;
    }
    log_info("stopping: a signal asked for it", LOG_TEXT("signal", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM"));
    return STOP_ASKED;
}

static enum turn take_letters(struct engine *self)
{
    enum turn turn = GO_ON;
    struct letter letter;
    while (inbox_take(self->inbox, &letter)) {
        if (letter.kind == LETTER_QUESTION) {
            engine_reload(self, letter.body);
            continue;
        }
        if (letter.kind == LETTER_ALARM)
            turn = STOP_ALARM;
        if (letter.kind == LETTER_BUILT)
            engine_reload_built(self);
        if (letter.kind == LETTER_RENEWED)
            engine_reload_renewed(self);
        if (letter.drop)
            letter.drop(letter.body);
    }
    return turn;
}

static int loop(struct engine *self)
{
    enum turn turn = GO_ON;
    struct pollfd pollers[] = {{.fd = self->signal_fd, .events = POLLIN},
                               {.fd = inbox_fd(self->inbox), .events = POLLIN}};
    engine_watch_begin(self, clock_now().steady_ns);
    while (turn == GO_ON) {
        poll(pollers, 2, engine_watch_pause_ms(self));
        turn = take_letters(self);
        if (turn == GO_ON && (pollers[0].revents & POLLIN))
            turn = take_signal(self);
        if (turn == GO_ON)
            engine_watch(self, clock_now().steady_ns);
    }
    if (turn == STOP_ASKED)
        return EXIT_STOPPED;
    return fail(
        EXIT_IO,
        "driftd ends, because it can keep no more requests, as the line before says: with systemd it is started "
        "again by itself");
}

/* --- stopping: from where things come in to where they go out, so that nothing is left between two stations --- */

/* A second signal means: now. */
static void stop_ingest(struct engine *self)
{
    struct pollfd poller = {.fd = self->signal_fd, .events = POLLIN};
    ingest_stop_begin(self->ingest);
    while (!ingest_stop_finished(self->ingest)) {
        if (poll(&poller, 1, JOIN_LOOK_MS) == 1 && take_signal(self) == STOP_ASKED)
            ingest_hasten(self->ingest);
    }
}

static void stop_all(struct engine *self, int status)
{
    uint32_t live = 0;
    notify_stopping();
    if (self->http)
        http_stop(self->http);
    atomic_store(&self->reload.cancelled, true);
    if (self->control)
        control_stop(self->control);
    large_pages_stop(&self->large_pages); /* which nobody asks for figures any more */
    if (self->checkpoint)
        checkpoint_stop(self->checkpoint);
    if (self->ingest)
        stop_ingest(self);
    if (self->workers)
        workers_stop(self->workers);
    if (self->shards_ran)
        checkpoint_finish(self->checkpoint);
    bool ran = self->requests != NULL;
    if (self->requests)
        requests_stop(&self->requests, &live);
    if (self->observe)
        observe_stop(self->observe);
    if (self->tap)
        tap_stop(self->tap);
    if (!ran)
        return;
    struct workers_sums sums = workers_sums(self->workers);
    log_info("stopped", LOG_NUMBER("live_requests", live), LOG_NUMBER("events", sums.events),
             LOG_NUMBER("dropped", sums.dropped), LOG_NUMBER("lost", sums.lost), LOG_NUMBER("exit_status", status));
}

static void close_all(struct engine *self)
{
    http_destroy(&self->http);
    control_destroy(&self->control);
    ingest_destroy(&self->ingest);
    checkpoint_destroy(&self->checkpoint);
    workers_destroy(&self->workers);
    dispatch_destroy(&self->dispatch);
    observe_destroy(&self->observe);
    tap_destroy(&self->tap);
    engine_security_close(self);
    engine_reload_end(self); /* its thread puts letters into the inbox */
    inbox_destroy(&self->inbox);
    config_destroy(&self->config);
    roll_clear(&self->roll);
    pthread_mutex_destroy(&self->settings_mutex);
}

int engine_run(const struct engine_files *files, int signal_fd)
{
    struct engine self = {.files = *files, .signal_fd = signal_fd};
    char host[HOST_MAX] = "localhost";
    if (engine_load(&self.config, files, false, NULL, NULL) < 0)
        return EXIT_CONFIGURATION;
    engine_open_log(self.config);
    gethostname(host, sizeof host - 1);
    snprintf(self.source, sizeof self.source, "driftd/%s", host);
    pthread_mutex_init(&self.settings_mutex, NULL);
    engine_reload_init(&self);
    self.started = clock_now();

    int status =
        inbox_new(&self.inbox) == 0 ? EXIT_STOPPED : fail(EXIT_OUR_BUG, "no memory or descriptor to start with");
    if (status == EXIT_STOPPED)
        status = prepare_folders(self.config);
    if (status == EXIT_STOPPED)
        status = engine_security_open(&self);
    if (status == EXIT_STOPPED)
        status = open_sockets(&self);
    if (status == EXIT_STOPPED)
        status = make_shards(&self);
    if (status == EXIT_STOPPED)
        status = start_requests(&self);
    if (status == EXIT_STOPPED)
        status = restore_monitors(&self);
    if (status == EXIT_STOPPED)
        status = start_threads(&self);
    if (status == EXIT_STOPPED) {
        say_what_runs(&self);
        notify_ready();
        status = loop(&self);
    }
    stop_all(&self, status);
    close_all(&self);
    return status;
}
