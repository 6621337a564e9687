/* power_run.h - the run whose every prefix is opened: requests of every fate, in a daemon that ends in every way.
 *
 * What becomes of a request follows from its number, so that a run of some sixty has each transition of
 * docs/requests.md at least once; run_covers_the_life_cycle() fails when one is missing.
 *
 * Threads: one. Memory: of the rig. Failure: the test fails.
 */
#ifndef TESTS_POWER_RUN_H
#define TESTS_POWER_RUN_H

#include <sqlite3.h>

#include "daemon/requests/store_schema.h"
#include "tests/fault/power_disk.h"
#include "tests/unit/requests_rig.h"

enum { RUN_MANY = 1024 };

static struct rig rig;
static bool disk_fails; /* no write succeeds any more: the daemon ends, and what it kept open is not closed in order */

/* -- what somebody was told ---------------------------------------------------------------------------------------- */

static void acknowledged(const char *request, unsigned attempt, enum request_state state)
{
    struct step *step = step_new(ACK);
    snprintf(step->ack.request, sizeof step->ack.request, "%s", request);
    step->ack.attempt = attempt;
    step->ack.state = state;
}

static int (*run_send)(void *argument, uint32_t outlet, const char *job, size_t bytes);
static void (*run_reply)(void *argument, void *sender, const char *json, size_t bytes);
static void (*run_event)(void *argument, struct cloud_event *event);

static int send_and_note(void *argument, uint32_t outlet, const char *job, size_t bytes)
{
    int rc = run_send(argument, outlet, job, bytes);
    unsigned attempt;
    if (rc == 0) {
        const char *id = rig_job(&rig, rig.job_count - 1, &attempt);
        acknowledged(id, attempt, REQUEST_OFFERED);
    }
    return rc;
}

/* What is published about a request stands in its history: a line to that state. */
static void event_and_note(void *argument, struct cloud_event *event)
{
    json_t *root = json_loads(event->json, 0, NULL), *data = json_object_get(root, "data");
    const char *request = json_string_value(json_object_get(data, "request"));
    const char *state_name = json_string_value(json_object_get(data, "state"));
    enum request_state state;
    if (request && state_name && request_state_of(text_of(state_name), &state) == 0)
        acknowledged(request, (unsigned)json_integer_value(json_object_get(data, "attempt")), state);
    json_decref(root);
    run_event(argument, event);
}

/* What a trainer was granted stands in the history from that moment on. */
static void reply_and_note(void *argument, void *sender, const char *json, size_t bytes)
{
    static const struct {
        const char *say;
        enum request_state reached;
    } said[] = {
        {"accept", REQUEST_RUNNING}, {"progress", REQUEST_RUNNING}, {"fail", REQUEST_PENDING}, {"done", REQUEST_DONE}};
    const struct rig_message *message = sender;
    json_t *root = json_loads(message->json, 0, NULL);
    for (size_t i = 0; i < sizeof said / sizeof *said && strncmp(json, "{\"ok\":true", 10) == 0; i++) {
        if (strcmp(json_string_value(json_object_get(root, "say")), said[i].say) == 0)
            acknowledged(json_string_value(json_object_get(root, "request")),
                         (unsigned)json_integer_value(json_object_get(root, "attempt")), said[i].reached);
    }
    json_decref(root);
    run_reply(argument, sender, json, bytes);
}

static bool say(const char *what, const char *id, unsigned attempt, const char *more)
{
    return strncmp(rig_say(&rig, what, id, attempt, "t", more), "{\"ok\":true", 10) == 0;
}

/* A person asks; whether it was done. */
static bool command(const char *what, const char *key, const char *value, const char *reason)
{
    char ask[256];
    snprintf(ask, sizeof ask, "{\"do\": \"%s\", \"%s\": \"%s\", \"reason\": \"%s\"}", what, key, value, reason);
    json_t *answer = rig_ask(&rig, ask);
    bool done = json_is_true(json_object_get(answer, "ok"));
    enum request_state state;
    const char *request = json_string_value(json_object_get(answer, "request"));
    if (done && request_state_of(text_of(json_string_value(json_object_get(answer, "state"))), &state) == 0)
        acknowledged(request, 0, state);
    json_decref(answer);
    return done;
}

/* -- fates --------------------------------------------------------------------------------------------------------- */

enum fate {
    TRAINED,
    FAILS_ONCE,
    FAILS_FOR_EVER, /* until its attempts are spent; then a person asks for it anew, and it is trained */
    NO_RETRY,
    LEASE_ENDS,
    RUNS_TOO_LONG,
    ACCEPTED_LATE,
    CANCELLED_RUNNING,
    CANCELLED_OFFERED,
    RECOVERED_OFFERED,
    REPLACED_OFFERED, /* after an attempt that was lost, and whose trainer says `done` in the end */
    CANCELLED_PENDING,
    RECOVERED_PENDING,
    REPLACED_PENDING,
    FATES
};

/* A job that a trainer works on for longer than one look at it. */
struct held_job {
    char id[REQUEST_ID_LEN + 1];
    unsigned attempt;
};

static struct held_job too_long[RUN_MANY], late[RUN_MANY];
static int too_long_count, late_count;
static bool asked_anew[RUN_MANY];

static void model_of(int number, const char *version, char out[32])
{
    snprintf(out, 32, "p/m%d/%s", number, version);
}

static void replace(int number)
{
    char model[32];
    rig.now_s += 1; /* first seen after the request was made */
    model_of(number, "w", model);
    rig_tell(&rig, NOTICE_SERVING, model);
    model_of(number, "v", model);
    rig_tell(&rig, NOTICE_SILENT, model);
}

static void recover(int number)
{
    char model[32];
    model_of(number, "v", model);
    rig_tell(&rig, NOTICE_RECOVERED, model);
}

static void hold_job(struct held_job *jobs, int *count, const char *id, unsigned attempt)
{
    ck_assert_int_lt(*count, RUN_MANY);
    jobs[*count].attempt = attempt;
    snprintf(jobs[(*count)++].id, sizeof jobs->id, "%s", id);
}

static void report_failure(int number, const char *id, unsigned attempt)
{
    say("fail", id, attempt, "\"error\": \"bad luck\"");
    if (attempt == rig.options.attempts)
        asked_anew[number] = command("requeue", "request", id, "it is mended");
}

static void train(const char *id, unsigned attempt)
{
    say("progress", id, attempt, "\"fraction\": 0.5");
    say("done", id, attempt, "\"version\": \"x\", \"gpu_hours\": 1");
}

/* Nobody has accepted it yet, and nobody does. */
static bool left_alone(enum fate fate, int number, const char *id, unsigned attempt)
{
    if (rig.options.accept_within_ns == REQUEST_UNWANTED_NS && number % 3 == 0)
        return true; /* for a day */
    switch (fate) {
    case ACCEPTED_LATE:
        hold_job(late, &late_count, id, attempt);
        return true;
    case CANCELLED_OFFERED:
        command("cancel", "request", id, "not now");
        return true;
    case RECOVERED_OFFERED:
        recover(number);
        return true;
    case REPLACED_OFFERED:
        if (attempt == 1)
            return false;
        replace(number);
        say("done", id, 1, NULL); /* refused, and kept */
        return true;
    default:
        return false;
    }
}

static void serve(int job)
{
    unsigned attempt;
    char id[REQUEST_ID_LEN + 1];
    snprintf(id, sizeof id, "%s", rig_job(&rig, job, &attempt));
    const char *subject = strstr(rig.jobs[job], "\"p/m");
    ck_assert_ptr_nonnull(subject);
    unsigned long number_said = strtoul(subject + 4, NULL, 10);
    ck_assert_uint_lt(number_said, RUN_MANY);
    int number = (int)number_said;
    enum fate fate = asked_anew[number] ? TRAINED : (enum fate)(number % FATES);
    if (!rig.options.feedback_required || left_alone(fate, number, id, attempt))
        return;
    if (!say("accept", id, attempt, NULL))
        return;
    if (fate == LEASE_ENDS || fate == REPLACED_OFFERED)
        return;
    if (fate == RUNS_TOO_LONG && attempt == 1) {
        hold_job(too_long, &too_long_count, id, attempt);
    } else if (fate == FAILS_FOR_EVER || (fate == FAILS_ONCE && attempt == 1)) {
        report_failure(number, id, attempt);
    } else if (fate == NO_RETRY) {
        say("fail", id, attempt, "\"retry\": false");
    } else if (fate == CANCELLED_RUNNING) {
        command("cancel", "request", id, "not now");
        say("progress", id, attempt, NULL);
        say("fail", id, attempt, NULL);
    } else {
        train(id, attempt);
    }
}

/* -- a run --------------------------------------------------------------------------------------------------------- */

static void forget_said(void)
{
    for (int m = 0; m < rig.coming_count; m++) {
        free(rig.coming[m]->json);
        free(rig.coming[m]->reply);
        free(rig.coming[m]);
    }
    rig.coming_count = rig.coming_taken = 0;
}

/* So much time passes, and trainers do what they do meanwhile. */
static void work(double seconds)
{
    for (double passed = 0; passed < seconds; passed += 20) {
        for (int job = 0; job < rig.job_count; job++)
            serve(job);
        rig_forget(&rig);
        for (int i = 0; i < too_long_count; i++) {
            if (!say("progress", too_long[i].id, too_long[i].attempt, NULL))
                too_long[i--] = too_long[--too_long_count];
        }
        rig_pass(&rig, 20);
        forget_said();
    }
}

/* Offers that were not accepted in time, while nobody else was there to take them. */
static void accept_late(void)
{
    rig.free_trainers = 0;
    rig_pass(&rig, 31);
    for (int i = 0; i < late_count; i++) {
        if (say("accept", late[i].id, late[i].attempt, NULL))
            train(late[i].id, late[i].attempt);
    }
    late_count = 0;
    rig.free_trainers = -1;
}

static struct retrain_notice *trigger_of(int number)
{
    char model[32];
    model_of(number, "v", model);
    return rig_trigger_notice(&rig, model, 0.1 * number);
}

static void trigger(int number)
{
    char model[32];
    model_of(number, "v", model);
    if (number % 9 == 8)
        command("retrain", "model", model, "by hand");
    else
        rig_put(&rig, trigger_of(number));
}

/* Drifts come in groups, as they do; for a moment there is no trainer. */
static void run_group(int first, int end)
{
    rig.free_trainers = 0;
    for (int number = first; number < end; number++)
        trigger(number);
    rig_turn(&rig);
    for (int number = first; number < end; number++) {
        char ask[64];
        if (number % FATES == CANCELLED_PENDING) {
            snprintf(ask, sizeof ask, "p/m%d", number);
            const struct live *live = live_by_family(rig.core, text_of(ask));
            command("cancel", "request", live->now.id, "not now");
        } else if (number % FATES == RECOVERED_PENDING) {
            recover(number);
        } else if (number % FATES == REPLACED_PENDING) {
            replace(number);
        } else if (number % 5 == 0) {
            trigger(number); /* once more, while its request is live */
        }
    }
    rig.free_trainers = -1;
    rig.refuses = first % 3 == 0; /* the trainer goes away before it takes the job */
    rig_turn(&rig);
    rig.refuses = false;
    rig_pass(&rig, 1);
    work(60);
    if (late_count)
        accept_late();
    for (int quiet = 0; quiet < 2; quiet++) { /* the log is tidied, as it is in a daemon that has a quiet second */
        rig.now_s += 2;
        rig_turn(&rig);
    }
}

/* A store of the version before, with requests that have ended, so that it is brought up in the run. */
static void make_older_store(int count)
{
    char text[1024];
    sqlite3 *db;
    snprintf(text, sizeof text, "%s/requests.db", rig.dir);
    ck_assert_int_eq(sqlite3_open(text, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int version = 0; version < STORE_VERSION - 1; version++)
        ck_assert_int_eq(sqlite3_exec(db, store_steps[version], NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < count; i++) {
        snprintf(
            text, sizeof text,
            "INSERT INTO requests (id, model, family, episode, state, attempt, offers, taken, cancel_asked, silent,"
            " strategy, strategy_reason, gpu_hours, severity, trigger_json, metrics_json, offered_for_ns, boot)"
            " VALUES ('old%d', 'q/m%d/v', 'q/m%d', 1, 'DONE', 1, 0, 1, 0, 0, 'pbt', '', 12, 0.1, '{}', '{}', 0, 1);"
            "INSERT INTO history (request, attempt, at, \"from\", \"to\", \"by\", why)"
            " VALUES ((SELECT number FROM requests WHERE id = 'old%d'), 1, 0, 'RUNNING', 'DONE', 'trainer t', '')",
            i, i, i, i);
        ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    }
    snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", STORE_APPLICATION_ID,
             STORE_VERSION - 1);
    ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < count; i++) {
        char id[REQUEST_ID_LEN + 1];
        snprintf(id, sizeof id, "old%d", i);
        acknowledged(id, 1, REQUEST_DONE);
    }
    sqlite3_close(db);
}

static void begin_life(void)
{
    rig_start(&rig);
    run_send = rig.core->ports.job.send;
    run_reply = rig.core->ports.job.reply;
    run_event = rig.core->ports.event;
    rig.core->ports.job.send = send_and_note;
    rig.core->ports.job.reply = reply_and_note;
    rig.core->ports.event = event_and_note;
    rig_turn(&rig);
}

/* In the middle of work: one is running, one is offered, and what follows is not committed. Takes three numbers. */
static void end_by_a_failing_disk(int number)
{
    unsigned attempt;
    char id[REQUEST_ID_LEN + 1];
    rig_forget(&rig);
    for (int i = 0; i < 2; i++) {
        rig_put(&rig, trigger_of(number + i));
        ck_assert(core_turn(rig.core, rig_now(&rig)));
        ck_assert_int_gt(rig.job_count, i);
        snprintf(id, sizeof id, "%s", rig_job(&rig, i, &attempt));
        if (i == 0 && rig.options.feedback_required)
            say("accept", id, attempt, NULL);
    }
    disk_fails = true;
    rig_put(&rig, trigger_of(number + 2));
    rig.now_s += 1;
    ck_assert(!core_turn(rig.core, rig_now(&rig)));
    core_destroy(&rig.core);
    disk_fails = false;
    rig_forget(&rig);
}

static void run_life(int first, int end)
{
    for (int number = first; number < end;) {
        int next = number + 1 + number % 7;
        run_group(number, next < end ? next : end);
        number = next;
    }
}

/* The first life is begun already. */
static void run_requests(int count)
{
    int quarter = count / 4, unfed = 3 * quarter + quarter / 3;
    run_life(0, 2 * quarter);
    end_by_a_failing_disk(2 * quarter);
    begin_life();
    run_life(2 * quarter + 3, 3 * quarter);
    core_destroy(&rig.core); /* in order: the log goes into the database, and away */
    rig.options.feedback_required = false;
    begin_life();
    run_life(3 * quarter, unfed);
    end_by_a_failing_disk(unfed);
    begin_life();
    core_destroy(&rig.core);
    rig.options.feedback_required = true;
    rig.options.accept_within_ns = REQUEST_UNWANTED_NS;
    begin_life();
    run_life(unfed + 3, count);
    rig.now_s += 86400;
    rig_turn(&rig);
    work(400);
    core_destroy(&rig.core);
}

/* -- what the run has to have had ---------------------------------------------------------------------------------- */

static const struct {
    const char *from, *to, *by, *why; /* from NULL: made; `by` and `why` begin or hold, as LIKE has it */
} transitions[] = {
    {NULL, "PENDING", "monitor", "%"},
    {NULL, "PENDING", "operator", "by hand%"},
    {NULL, "PENDING", "operator", "%mended%"},
    {"PENDING", "PENDING", "monitor", "triggered again%"},
    {"PENDING", "OFFERED", "dispatcher", "%"},
    {"OFFERED", "PENDING", "timer", "nobody accepted%"},
    {"OFFERED", "PENDING", "dispatcher", "the trainer went away%"},
    {"OFFERED", "PENDING", "restart", "%"},
    {"OFFERED", "DONE", "dispatcher", "delivered%"},
    {"OFFERED", "DONE", "restart", "delivered or lost%"},
    {"OFFERED", "DEAD", "timer", "%24 h%"},
    {"OFFERED", "CANCELLED", "operator", "%"},
    {"OFFERED", "CANCELLED", "monitor", "%holds its budget%"},
    {"OFFERED", "SUPERSEDED", "monitor", "%"},
    {"OFFERED", "RUNNING", "trainer %", "%"},
    {"PENDING", "RUNNING", "trainer %", "%"},
    {"PENDING", "CANCELLED", "operator", "not now"},
    {"PENDING", "CANCELLED", "operator", "cancelled while it ran"},
    {"PENDING", "CANCELLED", "monitor", "%"},
    {"PENDING", "SUPERSEDED", "monitor", "%"},
    {"RUNNING", "RUNNING", "restart", "%"},
    {"RUNNING", "RUNNING", "operator", "%told to stop%"},
    {"RUNNING", "PENDING", "timer", "the lease%"},
    {"RUNNING", "PENDING", "timer", "%max_run%"},
    {"RUNNING", "PENDING", "trainer %", "%failed%"},
    {"RUNNING", "DONE", "trainer %", "%"},
    {"RUNNING", "DEAD", "timer", "%was the last"},
    {"RUNNING", "DEAD", "trainer %", "%was the last"},
    {"RUNNING", "DEAD", "trainer %", "%no retry"},
    {"SUPERSEDED", "SUPERSEDED", "trainer %", "%too late%"},
};

/* Reads the history of a store that nobody has open. */
static void run_covers_the_life_cycle(void)
{
    char file[128];
    sqlite3 *db;
    sqlite3_stmt *lines;
    snprintf(file, sizeof file, "%s/requests.db", rig.dir);
    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL,
                 NULL); /* no file system of ours has shared memory */
    ck_assert_int_eq(sqlite3_prepare_v2(db,
                                        "SELECT count(*) FROM history WHERE \"from\" IS ?1 AND \"to\" = ?2 AND "
                                        "\"by\" LIKE ?3 AND why LIKE ?4",
                                        -1, &lines, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < sizeof transitions / sizeof *transitions; i++) {
        const char *texts[] = {transitions[i].from, transitions[i].to, transitions[i].by, transitions[i].why};
        for (int t = 0; t < 4; t++)
            sqlite3_bind_text(lines, t + 1, texts[t], -1, SQLITE_STATIC);
        ck_assert_int_eq(sqlite3_step(lines), SQLITE_ROW);
        ck_assert_msg(sqlite3_column_int(lines, 0) > 0, "the run has no %s -> %s by %s (%s)",
                      texts[0] ? texts[0] : "none", texts[1], texts[2], texts[3]);
        sqlite3_reset(lines);
    }
    sqlite3_finalize(lines);
    sqlite3_close(db);
}

#endif
