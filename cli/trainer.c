#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "cli/attempt.h"
#include "cli/clock.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/curve.h"
#include "cli/endpoints.h"
#include "cli/own_name.h"
#include "cli/say.h"
#include "cli/step.h"

#define JOBS_ENDPOINT "tcp://127.0.0.1:5571"
#define FEEDBACK_ENDPOINT "tcp://127.0.0.1:5572"

enum { JOBS, FEEDBACK, ENDPOINTS };

struct trainer {
    struct attempt_options options;
    struct endpoint endpoints[ENDPOINTS];
    char name[OWN_NAME_MAX + 1];
    bool once;
    const char *server_key, *cert; /* NULL: not given */
    struct curve curve;

    void *context;
    void *jobs; /* NULL while a job is under way: a trainer that is not free is not there to be offered anything */
    struct talk *talk;
    struct attempt *attempt;
    int signals;
    unsigned asked_to_end; /* how often */
    int status;
    bool over;
};

enum {
    KEY_EXEC = 'e',
    KEY_NO_RETRY = 'R',
    KEY_ONCE = '1',
    KEY_JOBS = 'J',
    KEY_FEEDBACK = 'F',
    KEY_NAME = 'n',
    KEY_GRACE = 'g',
    KEY_SERVER_KEY = 'K',
    KEY_CERT = 'C'
};

static const struct argp_option options[] = {
    {"exec", KEY_EXEC, "CMD", 0, "What trains: run by /bin/sh for each job", 0},
    {"once", KEY_ONCE, NULL, 0, "One job, then end: status 0 when it was done", 0},
    {"no-retry", KEY_NO_RETRY, NULL, 0, "A failure is final, unless CMD ends with status 75", 0},
    {"jobs-endpoint", KEY_JOBS, "ENDPOINT", 0, "Where jobs come from (as the daemon says, else " JOBS_ENDPOINT ")", 0},
    {"feedback-endpoint", KEY_FEEDBACK, "ENDPOINT", 0,
     "Where to answer (as the daemon says, else " FEEDBACK_ENDPOINT ")", 0},
    {"grace", KEY_GRACE, "SECONDS", 0, "Between SIGTERM and SIGKILL for a command that is to stop (10)", 0},
    {"name", KEY_NAME, "NAME", 0, "What this trainer calls itself (HOST/PID)", 0},
    CURVE_OPTIONS(KEY_SERVER_KEY, KEY_CERT),
    {0},
};

static const char *option(void *input, int key, const char *value)
{
    struct trainer *self = input;
    switch (key) {
    case KEY_EXEC:
        self->options.command = value;
        return *value ? NULL : "a command";
    case KEY_ONCE:
        self->once = true;
        return NULL;
    case KEY_NO_RETRY:
        self->options.retry = false;
        return NULL;
    case KEY_JOBS:
        self->endpoints[JOBS].at = value;
        return NULL;
    case KEY_FEEDBACK:
        self->endpoints[FEEDBACK].at = value;
        return NULL;
    case KEY_SERVER_KEY:
        self->server_key = value;
        return NULL;
    case KEY_CERT:
        self->cert = value;
        return NULL;
    case KEY_GRACE:
        return option_number(value, 0, 3600, &self->options.grace_s) ? NULL : "seconds from 0 to 3600";
    default:
        return own_name_take(self->name, value);
    }
}

__attribute__((format(printf, 3, 4))) static void step(const struct trainer *self, const char *name, const char *format,
                                                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    step_say(self->options.json, NULL, name, format, arguments);
    va_end(arguments);
}

/* The bound stands before the connection: what is on its way here cannot be offered to anybody else. */
static int open_jobs(struct trainer *self)
{
    int one = 1, none = 0;
    self->jobs = must(zmq_socket(self->context, ZMQ_PULL));
    zmq_setsockopt(self->jobs, ZMQ_RCVHWM, &one, sizeof one);
    zmq_setsockopt(self->jobs, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(self->jobs, ZMQ_TCP_KEEPALIVE, &one, sizeof one);
    curve_apply(self->jobs, &self->curve);
    if (connect_to(self->jobs, self->endpoints[JOBS].at) == 0)
        return 0;
    say("'%s' is no endpoint that can be reached: %s", self->endpoints[JOBS].at, zmq_strerror(errno));
    return EX_USAGE;
}

static void close_jobs(struct trainer *self)
{
    if (self->jobs)
        zmq_close(self->jobs);
    self->jobs = NULL;
}

/* A job, or NULL. */
static struct job *pull(struct trainer *self)
{
    zmq_msg_t frame;
    struct job *job = NULL;
    const char *why;
    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, self->jobs, ZMQ_DONTWAIT) >= 0) {
        job = job_read((struct text){.at = zmq_msg_data(&frame), .len = zmq_msg_size(&frame)}, &why);
        if (!job)
            step(self, "no job", "a message on %s is no job: %s", self->endpoints[JOBS].at, why);
    }
    zmq_msg_close(&frame);
    return job;
}

static void take_job(struct trainer *self, int64_t now_ns)
{
    struct job *job = pull(self);
    if (!job)
        return;
    close_jobs(self);
    self->attempt = attempt_begin(job, self->talk, &self->options, now_ns);
}

static void end_job(struct trainer *self, enum attempt_end end)
{
    attempt_destroy(&self->attempt);
    bool counts = end != ATTEMPT_NOT_OURS;
    if (end == ATTEMPT_UNTOLD)
        self->status = EX_TEMPFAIL;
    else if (self->once && counts)
        self->status = end == ATTEMPT_DONE ? 0 : EXIT_REFUSED;
    self->over = self->asked_to_end || (self->once && counts);
    if (!self->over)
        open_jobs(self);
}

static void take_signals(struct trainer *self, int64_t now_ns)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        self->asked_to_end++;
        if (!self->attempt || self->asked_to_end > 1) {
            self->over = true;
            self->status = self->attempt ? EX_TEMPFAIL : self->status;
        } else {
            attempt_stop(self->attempt, now_ns);
        }
    }
}

/* Waits for whatever comes first, at most until `until_ns`. */
static void wait_until(const struct trainer *self, int64_t until_ns, int64_t now_ns)
{
    zmq_pollitem_t items[4] = {{.fd = self->signals, .events = ZMQ_POLLIN}};
    int count = 1;
    if (self->jobs)
        items[count++] = (zmq_pollitem_t){.socket = self->jobs, .events = ZMQ_POLLIN};
    if (self->attempt) {
        int streams[] = {attempt_output(self->attempt), attempt_errors(self->attempt)};
        items[count++] = (zmq_pollitem_t){.socket = talk_socket(self->talk), .events = ZMQ_POLLIN};
        for (int i = 0; i < 2; i++) {
            if (streams[i] >= 0)
                items[count++] = (zmq_pollitem_t){.fd = streams[i], .events = ZMQ_POLLIN};
        }
    }
    int64_t left_ns = until_ns - now_ns;
    long timeout_ms = until_ns == INT64_MAX ? -1 : left_ns <= 0 ? 0 : (long)(left_ns / 1000000 + 1);
    zmq_poll(items, count, timeout_ms);
}

static void loop(struct trainer *self)
{
    while (!self->over) {
        int64_t now_ns = clock_now_ns(), next_ns = INT64_MAX;
        take_signals(self, now_ns);
        if (self->over)
            break;
        if (self->jobs)
            take_job(self, now_ns);
        if (self->attempt) {
            enum attempt_end end = attempt_turn(self->attempt, now_ns, &next_ns);
            if (end != ATTEMPT_GOES_ON) {
                end_job(self, end);
                continue;
            }
        }
        wait_until(self, next_ns, now_ns);
    }
}

static void block_signals(struct trainer *self)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP); /* the terminal is gone: what it had started has to end as well */
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    self->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (self->signals < 0)
        say_and_end(EX_OSERR, "cannot read signals: %s", strerror(errno));
}

static int serve(struct trainer *self)
{
    int status = talk_open(&self->talk, self->context, self->endpoints[FEEDBACK].at, &self->curve);
    if (status == 0)
        status = open_jobs(self);
    if (status == 0) {
        step(self, "waiting", "%s waits for jobs from %s", self->name, self->endpoints[JOBS].at);
        loop(self);
        status = self->status;
        step(self, "ended", "%s ends", self->name);
    }
    attempt_destroy(&self->attempt);
    close_jobs(self);
    talk_close(&self->talk);
    return status;
}

int trainer_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct trainer trainer = {.options = {.retry = true, .grace_s = 10},
                              .endpoints = {[JOBS] = {.name = "jobs", .fallback = JOBS_ENDPOINT},
                                            [FEEDBACK] = {.name = "feedback", .fallback = FEEDBACK_ENDPOINT}}};
    struct arguments arguments = {.options = options, .option = option, .input = &trainer};
    snprintf(trainer.name, sizeof trainer.name, "%s/%d", own_name_host(), (int)getpid());
    command_arguments(self, common, argc, argv, &arguments);
    if (!trainer.options.command)
        say_and_end(EX_USAGE, "trainer wants --exec CMD (driftc help trainer)");
    trainer.options.trainer = trainer.name;
    trainer.options.json = common->json;
    int status = curve_read(&trainer.curve, trainer.server_key, trainer.cert);
    if (status == 0)
        status = endpoints_find(trainer.endpoints, ENDPOINTS, common, "trainer", trainer.curve.on);
    if (status)
        return status;
    block_signals(&trainer);
    signal(SIGPIPE, SIG_IGN); /* who reads the log may go, the work goes on */
    trainer.context = must(zmq_ctx_new());
    status = serve(&trainer);
    zmq_ctx_term(trainer.context);
    close(trainer.signals);
    endpoints_free(trainer.endpoints, ENDPOINTS);
    return status;
}
