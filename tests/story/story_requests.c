/* Months in the life of forty models: drifts, trainers that work, dawdle, fail, lie and die, jobs that vanish, a daemon
 * that is stopped, killed and rebooted. The clock is virtual, the store is real. At every send and every grant the story
 * looks into a copy of the store's files, as after a power cut, for what must be there; at the end a checker that knows
 * only the store reads its history. */
#include <sqlite3.h>

#include "tests/run_suite.h"
#include "tests/unit/requests_rig.h"

enum { MODELS = 40, TRAINERS = 6, EPOCHS = 25 };

static struct rig rig;
static uint32_t random_state;
static int jobs_seen, own_seen, grants_seen, looked, restarts;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

/* What is known of a job that a trainer has pulled. */
struct work {
    char id[REQUEST_ID_LEN + 1];
    unsigned attempt;
    bool busy, accepted;
    double next_s;
};
static struct work work[TRAINERS];

static void copy_file(const char *end, const char *to_dir)
{
    char path[128], bytes[65536];
    size_t got;
    snprintf(path, sizeof path, "%s/requests.db%s", to_dir, end);
    unlink(path);
    FILE *to = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/requests.db%s", rig.dir, end);
    FILE *from = fopen(path, "rb");
    ck_assert_ptr_nonnull(to);
    while (from && (got = fread(bytes, 1, sizeof bytes, from)) > 0)
        ck_assert_uint_eq(fwrite(bytes, 1, got, to), got);
    if (from)
        fclose(from);
    fclose(to);
}

/* What a power cut at this moment would leave: the state, attempt and trainer of a request. */
static void look(const char *id, const char *state, unsigned attempt, const char *trainer)
{
    char dir[80], file[128];
    sqlite3 *db;
    sqlite3_stmt *row;
    snprintf(dir, sizeof dir, "%s/copy", rig.dir);
    mkdir(dir, 0700);
    copy_file("", dir);
    copy_file("-wal", dir);
    snprintf(file, sizeof file, "%s/requests.db", dir);
    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT state, attempt, trainer FROM requests WHERE id = ?1", -1, &row, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(row, 0), state);
    ck_assert_int_eq(sqlite3_column_int(row, 1), (int)attempt);
    if (trainer)
        ck_assert_str_eq((const char *)sqlite3_column_text(row, 2), trainer);
    sqlite3_finalize(row);
    sqlite3_close(db);
    looked++;
}

/* The job port, with a look into the store before each fifth job is taken. */
static int (*send_on)(void *, uint32_t, const char *, size_t);

static int send_and_look(void *argument, uint32_t outlet, const char *job, size_t bytes)
{
    json_t *root = json_loadb(job, bytes, JSON_REJECT_DUPLICATES, NULL), *data = json_object_get(root, "data");
    ck_assert_ptr_nonnull(data);
    if (jobs_seen++ % 5 == 0)
        look(json_string_value(json_object_get(data, "request")), "OFFERED",
             (unsigned)json_integer_value(json_object_get(data, "attempt")), NULL);
    const char *project = json_string_value(json_object_get(json_object_get(data, "model"), "project"));
    ck_assert_pstr_ne(project, NULL);
    ck_assert_uint_eq(outlet, rig.own && strcmp(project, rig.own) == 0);
    own_seen += (int)outlet;
    json_decref(root);
    return send_on(argument, outlet, job, bytes);
}

static void begin_daemon(void)
{
    rig_start(&rig);
    send_on = rig.core->ports.job.send;
    rig.core->ports.job.send = send_and_look;
}

static bool granted(const char *reply)
{
    return strncmp(reply, "{\"ok\":true", 10) == 0;
}

static void name_of(int trainer, char out[16])
{
    snprintf(out, 16, "t%d", trainer);
}

/* Jobs that have arrived go to idle trainers; some vanish on the way. */
static void hand_out(void)
{
    for (int i = 0; i < rig.job_count; i++) {
        int trainer = (int)draw(TRAINERS);
        if (work[trainer].busy || draw(10) == 0)
            continue;
        work[trainer] = (struct work){.busy = true, .next_s = rig.now_s + draw(20)};
        snprintf(work[trainer].id, sizeof work->id, "%s", rig_job(&rig, i, &work[trainer].attempt));
    }
    rig_forget(&rig);
}

static void finish_work(int trainer, const char *name)
{
    struct work *mine = &work[trainer];
    char more[96];
    const char *reply;
    switch (draw(8)) {
    case 0: /* dies */
        mine->busy = false;
        return;
    case 1:
        reply = rig_say(&rig, "fail", mine->id, mine->attempt, name, "\"error\": \"bad luck\", \"gpu_hours\": 0.5");
        break;
    case 2:
        reply = rig_say(&rig, "fail", mine->id, mine->attempt, name, draw(3) ? NULL : "\"retry\": false");
        break;
    default:
        snprintf(more, sizeof more, "\"version\": \"v%u\", \"metrics\": {\"accuracy\": 0.9}, \"gpu_hours\": 1", draw(5));
        reply = rig_say(&rig, "done", mine->id, mine->attempt, name, more);
        if (granted(reply) && draw(3) == 0) /* the reply was lost: it is said again, and granted again */
            ck_assert(granted(rig_say(&rig, "done", mine->id, mine->attempt, name, more)));
        break;
    }
    (void)reply;
    mine->busy = false;
}

static void act(int trainer)
{
    struct work *mine = &work[trainer];
    char name[16], other[16];
    name_of(trainer, name);
    name_of((trainer + 1) % TRAINERS, other);
    mine->next_s = rig.now_s + 100 + draw(350); /* a lease is 300 s: some are late */
    if (!mine->accepted) {
        mine->accepted = granted(rig_say(&rig, "accept", mine->id, mine->attempt, name, NULL));
        mine->busy = mine->accepted;
        if (mine->accepted) {
            if (grants_seen++ % 5 == 0)
                look(mine->id, "RUNNING", mine->attempt, name);
            /* Somebody who never accepted gets nothing. */
            ck_assert(!granted(rig_say(&rig, "accept", mine->id, mine->attempt, other, NULL)));
            ck_assert(!granted(rig_say(&rig, "done", mine->id, mine->attempt, other, NULL)));
            ck_assert(!granted(rig_say(&rig, "progress", mine->id, mine->attempt + 1, name, NULL)));
        }
        return;
    }
    if (draw(3)) {
        const char *reply = rig_say(&rig, "progress", mine->id, mine->attempt, name, "\"fraction\": 0.5");
        if (!granted(reply) || strstr(reply, "\"cancel\":true"))
            mine->busy = false; /* it must stop */
        return;
    }
    finish_work(trainer, name);
}

static void disturb(void)
{
    char model[32], ask[160];
    snprintf(model, sizeof model, "p%u/m%u/v%u", draw(5), draw(MODELS / 5), draw(3));
    switch (draw(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        rig_trigger(&rig, model, draw(100) / 100.0);
        break;
    case 4:
        rig_tell(&rig, NOTICE_RECOVERED, model);
        break;
    case 5:
        rig_tell(&rig, NOTICE_SERVING, model);
        break;
    case 6:
        rig_tell(&rig, NOTICE_SILENT, model);
        break;
    case 7:
        if (rig.job_count) {
            snprintf(ask, sizeof ask, "{\"do\": \"%s\", \"request\": \"%s\"}", draw(2) ? "cancel" : "requeue",
                     rig_job(&rig, 0, NULL));
            json_decref(rig_ask(&rig, ask));
        }
        break;
    case 8:
        snprintf(ask, sizeof ask, "{\"do\": \"retrain\", \"model\": \"%s\", \"reason\": \"story\"}", model);
        json_decref(rig_ask(&rig, ask));
        break;
    default:
        break;
    }
}

static void count_one(struct core *core, uint32_t *live_p, json_t **answer_p)
{
    *live_p = core_live(core);
    *answer_p = rig_ask(&rig, "{\"do\": \"status\"}");
}

/* The daemon ends in one of three ways and begins again; what it knew, it knows. */
static void interrupt(void)
{
    uint32_t live, live_after;
    json_t *before, *after;
    static char boots[8][16];
    count_one(rig.core, &live, &before);
    uint32_t way = draw(3);
    if (way == 0) { /* in the middle of a turn: after the commit, the jobs of it vanish */
        rig.refuses = true;
        rig_trigger(&rig, "p0/m0/v0", 0.5);
        rig.refuses = false;
        json_decref(before);
        count_one(rig.core, &live, &before);
    }
    core_destroy(&rig.core);
    rig.now_s += draw(2000);
    if (way == 2) {
        double wall = rig_now(&rig).wall_s;
        char *boot = boots[restarts % 8];
        snprintf(boot, sizeof *boots, "boot %d", restarts);
        rig.boot = boot;
        rig.now_s = 100 + draw(1000);
        rig.wall_s = wall - rig.now_s + (draw(4) ? 0 : -5000.0);
        for (int i = 0; i < TRAINERS; i++)
            work[i].busy = false; /* they went down with the machine */
    }
    restarts++;
    begin_daemon();
    live_after = core_live(rig.core);
    after = rig_ask(&rig, "{\"do\": \"status\"}");
    ck_assert_uint_eq(live, live_after);
    static const char *const finals[] = {"DONE", "DEAD", "CANCELLED", "SUPERSEDED", "RUNNING"};
    for (size_t i = 0; i < sizeof finals / sizeof *finals; i++)
        ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(before, "requests"), finals[i])),
                         json_integer_value(json_object_get(json_object_get(after, "requests"), finals[i])));
    json_decref(before);
    json_decref(after);
}

static void forget_messages(void)
{
    for (int i = 0; i < rig.coming_count; i++) {
        free(rig.coming[i]->json);
        free(rig.coming[i]->reply);
        free(rig.coming[i]);
    }
    rig.coming_count = rig.coming_taken = 0;
}

static void live_on(uint32_t seed)
{
    random_state = seed;
    jobs_seen = own_seen = grants_seen = looked = restarts = 0;
    memset(work, 0, sizeof work);
    begin_daemon();
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        for (int step = 0; step < 60; step++) {
            disturb();
            hand_out();
            for (int i = 0; i < TRAINERS; i++) {
                if (work[i].busy && work[i].next_s <= rig.now_s)
                    act(i);
            }
            rig.free_trainers = (int)draw(4);
            rig.own_trainers = rig.own ? (int)draw(3) : 0;
            rig_pass(&rig, draw(240));
            forget_messages();
        }
        interrupt();
    }
}

static void check_history(void)
{
    char command[200];
    core_destroy(&rig.core);
    snprintf(command, sizeof command, "/usr/bin/python3 tests/fault/invariants.py --attempts 3 %s/requests.db >&2", rig.dir);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(months_of_everything)
{
    rig_new(&rig);
    rig.options.fleet = (struct requests_project){.concurrent = 4, .per_model_per_day = 4, .per_day = 60};
    rig.options.choose = _i % 2 ? "random" : "cheapest";
    live_on(1234u + (uint32_t)_i);
    ck_assert_int_gt(jobs_seen, 200);
    ck_assert_int_gt(looked, 40);
    check_history();
    rig_end(&rig);
}
END_TEST

/* A project whose trainers are its own, among others that share theirs. */
START_TEST(months_of_a_project_with_its_own_trainers)
{
    rig_new(&rig);
    rig.own = "p3";
    rig.options.fleet = (struct requests_project){.concurrent = 4, .per_model_per_day = 4, .per_day = 60};
    live_on(4321);
    ck_assert_int_gt(own_seen, 20);
    ck_assert_int_gt(jobs_seen - own_seen, 100);
    check_history();
    rig_end(&rig);
}
END_TEST

START_TEST(months_without_feedback)
{
    rig_new(&rig);
    rig.options.feedback_required = false;
    live_on(99);
    ck_assert_int_gt(jobs_seen, 200);
    check_history();
    rig_end(&rig);
}
END_TEST

/* Ten thousand models drift at once, with few trainers. Each is offered once, the severest first. */
START_TEST(ten_thousand_at_once)
{
    enum { COUNT = 10000 };
    char model[32];
    rig_new(&rig);
    rig.options.fleet = (struct requests_project){.concurrent = 8};
    rig.options.accept_within_ns = 86400 * RIG_S;
    rig.free_trainers = 0;
    rig_start(&rig);
    for (int i = 0; i < COUNT; i++) {
        snprintf(model, sizeof model, "p%d/m%d/v", i % 100, i);
        rig_put(&rig, rig_trigger_notice(&rig, model, (i * 7919 % COUNT) / (double)COUNT));
    }
    rig_turn(&rig);
    ck_assert_uint_eq(core_live(rig.core), COUNT);
    core_destroy(&rig.core);
    rig_start(&rig);
    ck_assert_uint_eq(core_live(rig.core), COUNT);
    rig.free_trainers = -1;
    double last = 2;
    for (int done = 0; done < 1000;) {
        rig_turn(&rig);
        ck_assert_int_gt(rig.job_count, 0);
        int count = rig.job_count;
        struct { char id[REQUEST_ID_LEN + 1]; } jobs[CORE_BURST_MAX];
        for (int i = 0; i < count; i++) {
            json_t *root = json_loads(rig.jobs[i], 0, NULL);
            json_t *data = json_object_get(root, "data"), *trigger = json_object_get(data, "trigger");
            double severity = json_number_value(json_object_get(json_object_get(trigger, "evidence"), "severity"));
            ck_assert_double_lt(severity, last);
            last = severity;
            snprintf(jobs[i].id, sizeof jobs[i].id, "%s", json_string_value(json_object_get(data, "request")));
            json_decref(root);
        }
        rig_forget(&rig);
        for (int i = 0; i < count; i++) {
            rig_post(&rig, "{}");
            char json[2400];
            snprintf(json, sizeof json, "{\"say\": \"accept\", \"request\": \"%s\", \"attempt\": 1, \"trainer\": \"t\"}",
                     jobs[i].id);
            rig_post(&rig, json);
            snprintf(json, sizeof json, "{\"say\": \"done\", \"request\": \"%s\", \"attempt\": 1, \"trainer\": \"t\"}",
                     jobs[i].id);
            rig_post(&rig, json);
            done++;
        }
        ck_assert(core_turn(rig.core, rig_now(&rig)));
        forget_messages();
    }
    check_history();
    rig_end(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests story");
    TCase *tests = tcase_create("months");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, months_of_everything, 0, 3);
    tcase_add_test(tests, months_of_a_project_with_its_own_trainers);
    tcase_add_test(tests, months_without_feedback);
    tcase_add_test(tests, ten_thousand_at_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
