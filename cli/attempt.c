#include "cli/attempt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "cli/clock.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/outcome.h"
#include "cli/say.h"
#include "cli/step.h"
#include "cli/work.h"

#define SECOND_NS INT64_C(1000000000)
#define LEASE_LEAST_S 0.3
#define LEASE_MOST_S 1e7
#define NOTE_MOST 256                /* bytes */
#define WHY_MOST 400                 /* bytes shown of a refusal */
#define FAREWELL_NS (20 * SECOND_NS) /* how long an ending program tries to reach the daemon, beyond the grace */

enum phase { ASKING, WORKING, REPORTING };
enum reason { REASON_NONE, REASON_CANCELLED, REASON_UNWANTED, REASON_ENDING };

struct attempt {
    struct attempt_options options;
    struct job *job;
    struct talk *talk;
    struct work *work;
    enum phase phase;
    enum reason stopped_for;
    enum attempt_end end;
    double lease_s;
    double fraction; /* NAN: the command has not said */
    char *note;
    bool news;       /* of its progress, not told yet */
    int64_t told_ns; /* when progress was told last */
    int64_t give_up_ns;
    enum attempt_end reported; /* what the end will be once the report is granted */
    bool complained;           /* that nobody answers */
};

__attribute__((format(printf, 3, 4))) static void step(const struct attempt *self, const char *name, const char *format,
                                                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    step_say(self->options.json, self->job, name, format, arguments);
    va_end(arguments);
}

static json_t *message(const struct attempt *self, const char *say)
{
    return must(json_pack("{s:s, s:s, s:I, s:s}", "say", say, "request", self->job->request, "attempt",
                          (json_int_t)self->job->attempt, "trainer", self->options.trainer));
}

struct attempt *attempt_begin(struct job *job, struct talk *talk, const struct attempt_options *options, int64_t now_ns)
{
    struct attempt *self = must(calloc(1, sizeof *self));
    self->options = *options;
    self->job = job;
    self->talk = talk;
    self->fraction = NAN;
    self->give_up_ns = INT64_MAX;
    step(self, "offered", "offered to this trainer");
    talk_say(talk, message(self, "accept"), now_ns);
    return self;
}

int attempt_output(const struct attempt *self)
{
    return self->work ? work_output(self->work) : -1;
}

int attempt_errors(const struct attempt *self)
{
    return self->work ? work_errors(self->work) : -1;
}

/* "progress 0.4", "progress 0.4 some note" */
static bool take_progress(struct attempt *self, struct text line)
{
    const char word[] = "progress ";
    size_t skip = sizeof word - 1;
    if (line.len <= skip || memcmp(line.at, word, skip) != 0)
        return false;
    char *text = must(strndup(line.at + skip, line.len - skip)), *end;
    double fraction = strtod(text, &end);
    bool fine = end != text && (*end == '\0' || *end == ' ') && fraction >= 0 && fraction <= 1;
    if (fine) {
        struct text note = text_of(end + (*end == ' '));
        if (note.len > NOTE_MOST) {
            note.len = NOTE_MOST;
            while (note.len && ((unsigned char)note.at[note.len] & 0xc0) == 0x80)
                note.len--;
        }
        free(self->note);
        self->note = must(strndup(note.at, note.len));
        self->fraction = fraction;
        self->news = true;
    }
    free(text);
    return fine;
}

static void take_line(void *argument, struct text line, bool error)
{
    struct attempt *self = argument;
    if (!error && take_progress(self, line))
        return;
    work_keep(self->work, line, error);
    step_echo(line);
}

static void take_lease(struct attempt *self, const json_t *reply)
{
    double lease_s = member_number(reply, "lease_s", self->lease_s > 0 ? self->lease_s : 60);
    self->lease_s = fmin(fmax(lease_s, LEASE_LEAST_S), LEASE_MOST_S);
    talk_patience(self->talk, (int64_t)(self->lease_s / 6 * 1e9));
}

static void tell_progress(struct attempt *self, int64_t now_ns)
{
    json_t *progress = message(self, "progress");
    if (!isnan(self->fraction))
        json_object_set_new(progress, "fraction", json_real(self->fraction));
    /* A note that is not UTF-8 is not told. */
    if (self->note && *self->note)
        json_object_set_new(progress, "note", json_string(self->note));
    self->news = false;
    self->told_ns = now_ns;
    talk_say(self->talk, progress, now_ns);
}

/* When progress has to be told: a third of the lease after the last time, and news at most once a second. */
static int64_t progress_due_ns(const struct attempt *self)
{
    if (talk_waits(self->talk) || self->stopped_for == REASON_UNWANTED)
        return INT64_MAX;
    int64_t due_ns = self->told_ns + (int64_t)(self->lease_s / 3 * 1e9);
    int64_t news_ns = self->news ? self->told_ns + SECOND_NS : INT64_MAX;
    return due_ns < news_ns ? due_ns : news_ns;
}

static void start(struct attempt *self, const json_t *reply, int64_t now_ns)
{
    take_lease(self, reply);
    char **environment = job_environment(self->job, self->options.trainer, self->lease_s);
    struct work_options options = {.command = self->options.command,
                                   .environment = environment,
                                   .input = self->job->text,
                                   .line = take_line,
                                   .argument = self};
    self->work = work_start(&options);
    job_environment_free(environment);
    self->phase = WORKING;
    self->told_ns = now_ns;
    struct text strategy = member_text(self->job->data, "strategy");
    step(self, "accepted", "accepted, lease %s; %.*s begins", figure_span(self->lease_s).text,
         strategy.len ? (int)strategy.len : 8, strategy.len ? strategy.at : "training");
}

static void stop_work(struct attempt *self, enum reason reason, int64_t now_ns)
{
    if (self->stopped_for == REASON_NONE || reason == REASON_UNWANTED)
        self->stopped_for = reason;
    work_stop(self->work, now_ns, (int64_t)(self->options.grace_s * 1e9));
}

/* Codes after which nobody will take this attempt's outcome. */
static bool unwanted(struct text code)
{
    return text_is(code, "stale_attempt") || text_is(code, "ended") || text_is(code, "unknown_request") ||
           text_is(code, "not_accepted");
}

/* What the daemon said no to, as it put it. */
static void step_refusal(const struct attempt *self, const char *what, const json_t *reply)
{
    struct text code = member_text(reply, "error"), why = member_text(reply, "message");
    why.len = why.len < WHY_MOST ? why.len : WHY_MOST;
    code.len = code.len < WHY_MOST ? code.len : WHY_MOST;
    step(self, what, "%s: %.*s%s%.*s", what, (int)code.len, code.at, why.len ? ": " : "", (int)why.len, why.at);
}

static void hear_progress(struct attempt *self, const json_t *reply, int64_t now_ns)
{
    if (!member_true(reply, "ok")) {
        step_refusal(self, "refused", reply);
        if (unwanted(member_text(reply, "error")))
            stop_work(self, REASON_UNWANTED, now_ns);
        return;
    }
    take_lease(self, reply);
    if (member_true(reply, "cancel") && self->stopped_for == REASON_NONE) {
        step(self, "cancelled", "cancelled by the daemon; the command is stopped");
        stop_work(self, REASON_CANCELLED, now_ns);
    }
}

static void report(struct attempt *self, json_t *outcome, enum attempt_end end, int64_t now_ns)
{
    self->phase = REPORTING;
    self->reported = end;
    self->complained = false;
    talk_say(self->talk, outcome, now_ns);
}

static void report_reason(struct attempt *self, const char *error, bool retry, double hours, int64_t now_ns)
{
    json_t *fail = message(self, "fail");
    json_object_set_new(fail, "error", json_string(error));
    json_object_set_new(fail, "retry", json_boolean(retry));
    json_object_set_new(fail, "gpu_hours", json_real(hours));
    report(self, fail, ATTEMPT_FAILED, now_ns);
}

static void hear_report(struct attempt *self, const json_t *reply, int64_t now_ns)
{
    if (member_true(reply, "ok")) {
        self->end = self->reported;
        step(self, self->end == ATTEMPT_DONE ? "done" : "failed", "%s; the daemon has it",
             self->end == ATTEMPT_DONE ? "done" : "failed");
    } else if (self->reported == ATTEMPT_DONE && text_is(member_text(reply, "error"), "bad_message")) {
        char error[NOTE_MOST + 1];
        struct text why = member_text(reply, "message");
        step_refusal(self, "refused", reply);
        snprintf(error, sizeof error, "the outcome was refused: %.*s", (int)(why.len < 200 ? why.len : 200),
                 why.len ? why.at : "");
        report_reason(self, error, true, (double)work_took_ns(self->work) / 3.6e12, now_ns);
    } else {
        step_refusal(self, "refused", reply);
        self->end = ATTEMPT_UNWANTED;
    }
}

static void hear(struct attempt *self, const json_t *reply, int64_t now_ns)
{
    self->complained = false;
    switch (self->phase) {
    case ASKING:
        if (member_true(reply, "ok")) {
            start(self, reply, now_ns);
            return;
        }
        step_refusal(self, "not ours", reply);
        self->end = ATTEMPT_NOT_OURS;
        break;
    case WORKING:
        hear_progress(self, reply, now_ns);
        break;
    case REPORTING:
        hear_report(self, reply, now_ns);
        break;
    }
}

static void report_end(struct attempt *self, int64_t now_ns)
{
    int status = work_status(self->work);
    double hours = (double)work_took_ns(self->work) / 3.6e12;
    json_t *outcome = message(self, status == 0 ? "done" : "fail");
    char *left_out = status == 0 ? outcome_done(outcome, work_last(self->work), hours)
                                 : outcome_fail(outcome, status, work_last(self->work), work_last_error(self->work),
                                                hours, self->options.retry);
    const char *between = left_out ? "; " : "", *what = left_out ? left_out : "";
    if (status == 0)
        step(self, "trained", "the command ended well after %s%s%s", figure_span(hours * 3600).text, between, what);
    else
        step(self, "broken", "the command failed after %s: %s%s%s", figure_span(hours * 3600).text,
             member_text(outcome, "error").at, between, what);
    free(left_out);
    report(self, outcome, status == 0 ? ATTEMPT_DONE : ATTEMPT_FAILED, now_ns);
}

/* The command has ended, by itself or because it was told to. */
static void conclude(struct attempt *self, int64_t now_ns)
{
    double hours = (double)work_took_ns(self->work) / 3.6e12;
    switch (self->stopped_for) {
    case REASON_NONE:
        report_end(self, now_ns);
        break;
    case REASON_CANCELLED:
        report_reason(self, "cancelled, as the daemon asked", false, hours, now_ns);
        break;
    case REASON_ENDING:
        report_reason(self, "the trainer was stopped", true, hours, now_ns);
        break;
    case REASON_UNWANTED:
        step(self, "dropped", "the command was stopped; nothing is reported");
        self->end = ATTEMPT_UNWANTED;
        break;
    }
}

static void turn_work(struct attempt *self, int64_t now_ns, int64_t *next_ns_p)
{
    if (work_turn(self->work, now_ns, next_ns_p)) {
        conclude(self, now_ns);
        return;
    }
    if (now_ns >= progress_due_ns(self))
        tell_progress(self, now_ns);
    if (progress_due_ns(self) < *next_ns_p)
        *next_ns_p = progress_due_ns(self);
}

static void complain(struct attempt *self)
{
    if (self->complained || talk_tries(self->talk) < 3)
        return;
    step(self, "silence", "the daemon does not answer; it is asked again until it does");
    self->complained = true;
}

enum attempt_end attempt_turn(struct attempt *self, int64_t now_ns, int64_t *next_ns_p)
{
    int64_t work_ns = INT64_MAX;
    json_t *reply = talk_hear(self->talk);
    if (reply)
        hear(self, reply, now_ns);
    json_decref(reply);
    if (self->end == ATTEMPT_GOES_ON && self->phase == WORKING)
        turn_work(self, now_ns, &work_ns);
    if (self->end == ATTEMPT_GOES_ON && now_ns >= self->give_up_ns) {
        step(self, "untold", "the daemon cannot be reached; it will find out when the lease runs out");
        self->end = ATTEMPT_UNTOLD;
    }
    if (self->end != ATTEMPT_GOES_ON)
        talk_drop(self->talk);
    *next_ns_p = talk_turn(self->talk, now_ns);
    complain(self);
    if (work_ns < *next_ns_p)
        *next_ns_p = work_ns;
    if (self->give_up_ns < *next_ns_p)
        *next_ns_p = self->give_up_ns;
    return self->end;
}

void attempt_stop(struct attempt *self, int64_t now_ns)
{
    self->give_up_ns = now_ns + FAREWELL_NS + (int64_t)(self->options.grace_s * 1e9);
    switch (self->phase) {
    case ASKING: /* it may have been granted: the reply alone is missing */
        step(self, "stopping", "this trainer ends; the job is given back");
        report_reason(self, "the trainer was stopped", true, 0, now_ns);
        break;
    case WORKING:
        step(self, "stopping", "this trainer ends; the command is stopped and the job given back");
        stop_work(self, REASON_ENDING, now_ns);
        break;
    case REPORTING:
        break;
    }
}

void attempt_destroy(struct attempt **self_p)
{
    struct attempt *self = *self_p;
    if (!self)
        return;
    work_destroy(&self->work);
    job_destroy(&self->job);
    free(self->note);
    free(self);
    *self_p = NULL;
}
