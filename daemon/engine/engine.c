#include "daemon/engine/engine.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/notify.h"
#include "daemon/engine/inside.h"

#define JOIN_LOOK_MS 20

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
    engine_warn(self);
    engine_memory_say(self);
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
    return engine_fail(
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
    /* Where the store failed, monitors that go on behind what it could not keep would never ask for it again. */
    if (self->shards_ran && status != EXIT_IO) {
        checkpoint_finish(self->checkpoint);
        engine_streams_keep(self);
    }
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
    handshakes_destroy(&self->handshakes);
    engine_security_close(self);
    engine_reload_end(self); /* its thread puts letters into the inbox */
    inbox_destroy(&self->inbox);
    config_destroy(&self->config);
    roll_clear(&self->roll);
    free(self->streams_back.bytes);
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

    int status = engine_build(&self);
    if (status == EXIT_STOPPED) {
        say_what_runs(&self);
        notify_ready();
        status = loop(&self);
    }
    stop_all(&self, status);
    close_all(&self);
    return status;
}
