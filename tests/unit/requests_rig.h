/* requests_rig.h - the requests station without its thread: a virtual clock, a job port of memory, a store in a folder
 * of its own. For tests of one program each. */
#ifndef TESTS_REQUESTS_RIG_H
#define TESTS_REQUESTS_RIG_H

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/requests/core.h"
#include "tests/unit/folder.h"

#define RIG_S INT64_C(1000000000)
#define RIG_WALL_S 1795428000.0 /* 2026-11-23T10:00:00Z, when the steady clock of the first boot stands at 1000 s */
#define RIG_MANY 4096

/* A message of a trainer on its way in, or its reply. */
struct rig_message {
    char *json, *reply;
};

struct rig {
    char dir[FOLDER_ROOM];
    const char *boot;
    double now_s;  /* of the steady clock */
    double wall_s; /* what the wall clock is ahead of now_s */
    struct requests_options options;
    struct inbox *inbox, *answers, *engine;
    struct core *core;
    struct siphash_key key;
    /* the job port */
    int free_trainers; /* -1: any number */
    bool refuses;      /* says that it is ready, and takes nothing */
    const char *own;   /* a project whose jobs leave by an outlet of their own; NULL: none */
    int own_trainers;  /* that are free there */
    bool own_refuses;
    const char *speaks_of; /* the one project that whoever speaks may speak of; NULL: all */
    char *jobs[RIG_MANY];
    uint32_t outlets[RIG_MANY]; /* by which each left */
    int job_count;
    struct rig_message *coming[RIG_MANY];
    int coming_count, coming_taken;
    /* what was told */
    struct retrain_update updates[RIG_MANY], asked; /* the last question what a metric shows */
    int update_count, asked_count;
    char *topics[RIG_MANY], *events[RIG_MANY];
    int event_count;
    char why[STORE_WHY_MAX];
};

static int rig_open_port(void *argument)
{
    (void)argument;
    return 0;
}

static uint32_t rig_outlet(void *argument, const char *project, size_t len)
{
    const char *own = ((struct rig *)argument)->own;
    return own && strlen(own) == len && memcmp(own, project, len) == 0;
}

static const char *rig_project(void *argument, uint32_t outlet)
{
    return outlet ? ((struct rig *)argument)->own : NULL;
}

static bool rig_may(void *argument, void *sender, const char *project, size_t len)
{
    const char *only = ((struct rig *)argument)->speaks_of;
    (void)sender;
    return !only || (strlen(only) == len && memcmp(only, project, len) == 0);
}

static bool rig_ready(void *argument, uint32_t outlet)
{
    struct rig *rig = argument;
    return (outlet ? rig->own_trainers : rig->free_trainers) != 0;
}

static int rig_send(void *argument, uint32_t outlet, const char *job, size_t bytes)
{
    struct rig *rig = argument;
    int *trainers = outlet ? &rig->own_trainers : &rig->free_trainers;
    if (*trainers == 0 || (outlet ? rig->own_refuses : rig->refuses))
        return -EAGAIN;
    if (*trainers > 0)
        --*trainers;
    ck_assert_int_lt(rig->job_count, RIG_MANY);
    rig->outlets[rig->job_count] = outlet;
    rig->jobs[rig->job_count++] = strndup(job, bytes);
    return 0;
}

static bool rig_take(void *argument, struct feedback_letter *out)
{
    struct rig *rig = argument;
    if (rig->coming_taken == rig->coming_count)
        return false;
    struct rig_message *message = rig->coming[rig->coming_taken++];
    *out = (struct feedback_letter){.json = message->json, .bytes = strlen(message->json), .sender = message};
    return true;
}

static void rig_reply(void *argument, void *sender, const char *json, size_t bytes)
{
    struct rig_message *message = sender;
    (void)argument;
    ck_assert_ptr_null(message->reply);
    message->reply = strndup(json, bytes);
}

static int rig_wait(void *argument, int inbox_fd, int64_t timeout_ns)
{
    (void)argument;
    (void)inbox_fd;
    (void)timeout_ns;
    return 0;
}

static void rig_close_port(void *argument)
{
    (void)argument;
}

static void rig_update(void *argument, struct retrain_update *update)
{
    struct rig *rig = argument;
    if (*update->shows) {
        rig->asked = *update;
        rig->asked_count++;
    } else if (rig->update_count < RIG_MANY)
        rig->updates[rig->update_count++] = *update;
    retrain_update_destroy(&update);
}

static void rig_event(void *argument, struct cloud_event *event)
{
    struct rig *rig = argument;
    if (rig->event_count < RIG_MANY) {
        rig->topics[rig->event_count] = strdup(event->topic);
        rig->events[rig->event_count++] = strdup(event->json);
    }
    cloud_event_drop(event);
}

static inline struct now rig_now(const struct rig *rig)
{
    return (struct now){.steady_ns = (int64_t)(rig->now_s * 1e9 + 0.5), .wall_s = rig->now_s + rig->wall_s};
}

/* Opens the store again, as after a restart; what core_new() answers. */
static inline int rig_try_start(struct rig *rig)
{
    struct requests_ports ports = {.job = {.argument = rig,
                                           .outlets = rig->own ? 2 : 1,
                                           .outlet = rig_outlet,
                                           .project = rig_project,
                                           .may = rig_may,
                                           .open = rig_open_port,
                                           .ready = rig_ready,
                                           .send = rig_send,
                                           .take = rig_take,
                                           .reply = rig_reply,
                                           .wait = rig_wait,
                                           .close = rig_close_port},
                                   .update = rig_update,
                                   .event = rig_event,
                                   .argument = rig,
                                   .engine = rig->engine};
    return core_new(&rig->core, &rig->options, &ports, rig->inbox, rig->boot, &rig->key, rig_now(rig), rig->why);
}

static inline void rig_start(struct rig *rig)
{
    int rc = rig_try_start(rig);
    ck_assert_msg(rc == 0, "%d: %s", rc, rig->why);
}

static inline struct requests_options rig_options(void)
{
    return (struct requests_options){.source = "driftd/test",
                                     .feedback_required = true,
                                     .accept_within_ns = 30 * RIG_S,
                                     .lease_ns = 300 * RIG_S,
                                     .max_run_ns = 43200 * RIG_S,
                                     .retry_first_ns = 30 * RIG_S,
                                     .retry_max_ns = 3600 * RIG_S,
                                     .attempts = 3,
                                     .choose = "cheapest",
                                     .give_up_after = 3};
}

static inline void rig_new(struct rig *rig)
{
    log_open(LOG_FORMAT_LOGFMT, (enum log_level)(LOG_LEVEL_ERROR + 1)); /* alarms are looked for among the events */
    
    *rig = (struct rig){.boot = "first",
                        .now_s = 1000,
                        .wall_s = RIG_WALL_S - 1000,
                        .free_trainers = -1,
                        .key = {7, 8},
                        .options = rig_options()};
    /* A story commits ten thousands of times: in memory, where there is some to write to. */
    strcpy(rig->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/driftd-test-XXXXXX" : "/tmp/driftd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->dir));
    rig->options.state_dir = rig->dir;
    ck_assert_int_eq(inbox_new(&rig->inbox), 0);
    ck_assert_int_eq(inbox_new(&rig->answers), 0);
    ck_assert_int_eq(inbox_new(&rig->engine), 0);
}

static inline void rig_forget(struct rig *rig)
{
    for (int i = 0; i < rig->job_count; i++)
        free(rig->jobs[i]);
    for (int i = 0; i < rig->event_count; i++) {
        free(rig->topics[i]);
        free(rig->events[i]);
    }
    rig->job_count = rig->event_count = rig->update_count = 0;
}

static inline void rig_end(struct rig *rig)
{
    core_destroy(&rig->core);
    rig_forget(rig);
    for (int i = 0; i < rig->coming_count; i++) {
        free(rig->coming[i]->json);
        free(rig->coming[i]->reply);
        free(rig->coming[i]);
    }
    inbox_destroy(&rig->inbox);
    inbox_destroy(&rig->answers);
    inbox_destroy(&rig->engine);
    folder_remove(rig->dir);
}

/* Turns until nothing is left to be done at this moment. */
static inline bool rig_turn(struct rig *rig)
{
    for (int turns = 0; turns < 10000; turns++) {
        if (!core_turn(rig->core, rig_now(rig)))
            return false;
        if (rig->coming_taken == rig->coming_count && inbox_count(rig->inbox) == 0 &&
            core_due_ns(rig->core) > rig_now(rig).steady_ns)
            return true;
    }
    ck_abort_msg("the station turns for ever");
    return false;
}

/* Lets time pass, from one moment when something is due to the next. */
static inline void rig_pass(struct rig *rig, double seconds)
{
    double end = rig->now_s + seconds;
    for (;;) {
        int64_t due_ns = core_due_ns(rig->core);
        double due = due_ns == INT64_MAX ? end : (double)due_ns / 1e9;
        rig->now_s = due < end ? (due > rig->now_s ? due : rig->now_s) : end;
        ck_assert(rig_turn(rig));
        if (!(rig->now_s < end))
            return;
    }
}

static inline struct rig_message *rig_post(struct rig *rig, const char *json)
{
    struct rig_message *message = calloc(1, sizeof *message);
    message->json = strdup(json);
    ck_assert_int_lt(rig->coming_count, RIG_MANY);
    rig->coming[rig->coming_count++] = message;
    return message;
}

/* A trainer says something; its reply, borrowed. */
static inline const char *rig_say(struct rig *rig, const char *say, const char *request, unsigned attempt,
                                  const char *trainer, const char *more)
{
    char json[4096];
    snprintf(json, sizeof json, "{\"say\": \"%s\", \"request\": \"%s\", \"attempt\": %u, \"trainer\": \"%s\"%s%s}", say,
             request, attempt, trainer, more ? ", " : "", more ? more : "");
    struct rig_message *message = rig_post(rig, json);
    rig_turn(rig);
    ck_assert_ptr_nonnull(message->reply);
    return message->reply;
}

static inline struct retrain_notice *rig_notice(struct rig *rig, enum retrain_notice_kind kind, const char *model)
{
    struct retrain_notice *notice = calloc(1, sizeof *notice);
    struct now now = rig_now(rig);
    notice->kind = kind;
    snprintf(notice->model, sizeof notice->model, "%s", model);
    notice->at_ns = now.steady_ns;
    notice->at_s = now.wall_s;
    return notice;
}

static void rig_drop_notice(void *body)
{
    struct retrain_notice *notice = body;
    retrain_notice_destroy(&notice);
}

static inline void rig_put(struct rig *rig, struct retrain_notice *notice)
{
    struct letter letter = {.kind = LETTER_NOTICE, .body = notice, .drop = rig_drop_notice};
    ck_assert_int_eq(inbox_put(rig->inbox, letter), 0);
}

static inline struct retrain_notice *rig_trigger_notice(struct rig *rig, const char *model, double severity)
{
    struct retrain_notice *notice = rig_notice(rig, NOTICE_TRIGGERED, model);
    double now = notice->at_s;
    snprintf(notice->trigger.rule, sizeof notice->trigger.rule, "accuracy mean < 0.8");
    snprintf(notice->trigger.metric, sizeof notice->trigger.metric, "accuracy");
    notice->trigger.observed = (double)0.52f;
    notice->trigger.limit = 0.8;
    notice->trigger.severity = severity;
    notice->trigger.window = 64;
    notice->trigger.failures = 3;
    notice->trigger.change_at_s = now - 3;
    notice->trigger.window_start_s = now - 60;
    notice->trigger.window_end_s = now;
    notice->metrics_json = strdup("{\"accuracy\":{\"last\":0.5,\"mean\":0.52,\"n\":64}}");
    return notice;
}

static inline void rig_trigger(struct rig *rig, const char *model, double severity)
{
    rig_put(rig, rig_trigger_notice(rig, model, severity));
    rig_turn(rig);
}

static inline void rig_tell(struct rig *rig, enum retrain_notice_kind kind, const char *model)
{
    struct retrain_notice *notice = rig_notice(rig, kind, model);
    if (kind == NOTICE_RECOVERED)
        snprintf(notice->trigger.metric, sizeof notice->trigger.metric, "accuracy");
    notice->first_seen_ns = notice->at_ns;
    rig_put(rig, notice);
    rig_turn(rig);
}

/* Asks as the control socket does; the caller frees the answer. */
static inline json_t *rig_ask(struct rig *rig, const char *ask)
{
    struct question *question = calloc(1, sizeof *question);
    struct letter letter;
    *question = (struct question){.id = 5, .ask = strdup(ask), .from = -1, .reply_to = rig->answers};
    ck_assert_int_eq(inbox_put(rig->inbox, (struct letter){LETTER_QUESTION, question, question_drop}), 0);
    rig_turn(rig);
    ck_assert(inbox_take(rig->answers, &letter));
    ck_assert_int_eq(letter.kind, LETTER_ANSWER);
    question = letter.body;
    json_error_t error;
    json_t *answer = json_loads(question->answer, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(answer != NULL, "%s: %s", error.text, question->answer);
    ck_assert(json_is_boolean(json_object_get(answer, "ok")));
    question_drop(question);
    return answer;
}

/* Which request the n-th job is for, and which attempt. */
static inline const char *rig_job(const struct rig *rig, int n, unsigned *attempt_p)
{
    static char id[8][REQUEST_ID_LEN + 1];
    static int turn;
    ck_assert_int_lt(n, rig->job_count);
    json_t *root = json_loads(rig->jobs[n], JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(root);
    json_t *data = json_object_get(root, "data");
    turn = (turn + 1) % 8;
    snprintf(id[turn], sizeof *id, "%s", json_string_value(json_object_get(data, "request")));
    if (attempt_p)
        *attempt_p = (unsigned)json_integer_value(json_object_get(data, "attempt"));
    json_decref(root);
    return id[turn];
}

/* A string or a number of one request, as `request` answers it. */
static inline const char *rig_member(struct rig *rig, const char *id, const char *member)
{
    static char text[4][256];
    static int turn;
    char ask[128];
    snprintf(ask, sizeof ask, "{\"do\": \"request\", \"request\": \"%s\"}", id);
    json_t *answer = rig_ask(rig, ask), *value = json_object_get(answer, member);
    char *out = text[turn = (turn + 1) % 4];
    if (json_is_string(value))
        snprintf(out, sizeof *text, "%s", json_string_value(value));
    else if (json_is_number(value))
        snprintf(out, sizeof *text, "%.9g", json_number_value(value));
    else
        snprintf(out, sizeof *text, "%s", json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
    json_decref(answer);
    return out;
}

/* How many events of a type were told. */
static inline int rig_events(const struct rig *rig, const char *type)
{
    int count = 0;
    for (int i = 0; i < rig->event_count; i++) {
        size_t len = strlen(type);
        count += strncmp(rig->topics[i], type, len) == 0 && (rig->topics[i][len] == '/' || !rig->topics[i][len]);
    }
    return count;
}

#endif
