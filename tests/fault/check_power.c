/* The power goes at every moment of a run of requests: each prefix of what was written opens, and has everything that
 * anybody was told of.
 *
 * A file system under SQLite notes every write, truncation, deletion and sync, and every acknowledgement in between: a
 * job sent, a reply, an event. Afterwards the disk is made anew as it may look when the power went after each of these
 * steps: what was synced is there; what was not is there, or is not, or in part, in any combination by chance. The
 * store is opened on it and asked for all that was acknowledged until then. Disks that cannot differ are opened once.
 *
 * POWER: requests in the run (60). STRIDE: every so many-th prefix (1). SEED: of chance (1). PART=n/m: the n-th of m
 * parts of the prefixes, from 0, so that processes can share them. All prefixes of a long run, on two cores:
 *
 *     for part in 0 1; do POWER=500 PART=$part/2 nice build/fault/tests/fault/check_power & done; wait */
#include <sqlite3.h>

#include "tests/fault/power_disk.h"
#include "tests/unit/requests_rig.h"

/* -- a run of requests
 * --------------------------------------------------------------------------------------------------- */

static struct rig rig;

static void acknowledged(const char *request, unsigned attempt, enum request_state state)
{
    struct step *step = step_new(ACK);
    snprintf(step->ack.request, sizeof step->ack.request, "%s", request);
    step->ack.attempt = attempt;
    step->ack.state = state;
}

static int (*rig_send_before)(void *argument, const char *job, size_t bytes);

static int send_and_note(void *argument, const char *job, size_t bytes)
{
    int rc = rig_send_before(argument, job, bytes);
    unsigned attempt;
    if (rc == 0) {
        const char *id = rig_job(&rig, rig.job_count - 1, &attempt);
        acknowledged(id, attempt, REQUEST_OFFERED);
    }
    return rc;
}

static void told(const char *reply, const char *id, unsigned attempt, enum request_state state)
{
    if (strstr(reply, "\"ok\":true"))
        acknowledged(id, attempt, state);
}

/* Trainers finish most, fail some, forget some. */
static void serve(int job)
{
    unsigned attempt;
    char id[REQUEST_ID_LEN + 1];
    snprintf(id, sizeof id, "%s", rig_job(&rig, job, &attempt));
    told(rig_say(&rig, "accept", id, attempt, "t", NULL), id, attempt, REQUEST_RUNNING);
    if (job % 5 == 4)
        return;
    if (job % 3 == 2)
        told(rig_say(&rig, "fail", id, attempt, "t", NULL), id, attempt, REQUEST_PENDING);
    else
        told(rig_say(&rig, "done", id, attempt, "t", "\"gpu_hours\": 1"), id, attempt, REQUEST_DONE);
}

static void forget_said(void)
{
    for (int m = 0; m < rig.coming_count; m++) {
        free(rig.coming[m]->json);
        free(rig.coming[m]->reply);
        free(rig.coming[m]);
    }
    rig.coming_count = rig.coming_taken = 0;
}

/* Drifts come in groups, as they do. */
static void run_requests(int count)
{
    for (int i = 0; i < count;) {
        for (int group = 1 + i % 7; group > 0 && i < count; group--, i++) {
            char model[32];
            snprintf(model, sizeof model, "p/m%d/v", i);
            rig_put(&rig, rig_trigger_notice(&rig, model, 0.1 * i));
        }
        rig_turn(&rig);
        for (int passed_s = 0; passed_s < 40; passed_s += 20) {
            for (int job = 0; job < rig.job_count; job++)
                serve(job);
            rig_forget(&rig);
            rig_pass(&rig, 20);
        }
        for (int quiet = 0; quiet < 2; quiet++) { /* the log is tidied, as it is in a daemon that has a quiet second */
            rig.now_s += 2;
            rig_turn(&rig);
        }
        forget_said();
    }
}

struct reached {
    bool offered, accepted, done, back;
    unsigned attempt;
};

static void note_line(void *argument, const struct store_line *line)
{
    struct reached *reached = argument;
    if (line->attempt != reached->attempt)
        return;
    reached->offered |= strcmp(line->to, "OFFERED") == 0;
    reached->accepted |= strcmp(line->to, "RUNNING") == 0;
    reached->done |= strcmp(line->to, "DONE") == 0;
    reached->back |= line->from && strcmp(line->from, "RUNNING") == 0 && strcmp(line->to, "RUNNING") != 0;
}

/* Opens the store and asks for the acknowledgements among steps [first, end). */
static void opens_with_all(const char *dir, size_t first, size_t end, int how)
{
    struct store *store;
    char why[STORE_WHY_MAX];
    struct moment later = {.steady_ns = INT64_C(90000) * RIG_S, .wall_s = RIG_WALL_S + 90000};
    int rc = store_open(&store, dir, "first", later, why);
    ck_assert_msg(rc == 0, "the power went before step %zu (%d): %d: %s", end, how, rc, why);
    for (size_t i = first; i < end; i++) {
        if (steps[i].what != ACK)
            continue;
        struct reached reached = {.attempt = steps[i].ack.attempt};
        ck_assert_int_ge(store_each_line(store, steps[i].ack.request, note_line, &reached), 0);
        bool good = steps[i].ack.state == REQUEST_OFFERED   ? reached.offered
                    : steps[i].ack.state == REQUEST_RUNNING ? reached.accepted
                    : steps[i].ack.state == REQUEST_DONE    ? reached.done
                                                            : reached.back;
        ck_assert_msg(good,
                      "the power went before step %zu (%d): %s of attempt %u was acknowledged at step %zu and is lost",
                      end, how, request_state_name(steps[i].ack.state), steps[i].ack.attempt, i);
    }
    store_close(&store);
}

/* What was synced only grows: all acknowledgements are asked for now and then, the latest each time. */
static size_t latest_acks(size_t end)
{
    size_t acks = 0;
    while (end > 0 && acks < 64)
        acks += steps[--end].what == ACK;
    return end;
}

static long number_from(const char *name, long standard)
{
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : standard;
}

START_TEST(every_prefix_opens_and_loses_nothing_acknowledged)
{
    long count = number_from("POWER", 60), stride = number_from("STRIDE", 1);
    size_t part = 0, parts = 1;
    if (getenv("PART"))
        ck_assert_int_eq(sscanf(getenv("PART"), "%zu/%zu", &part, &parts), 2);
    chance = (uint64_t)number_from("SEED", 1);
    sqlite3_vfs *noting = noting_begin();
    rig_new(&rig);
    rig_start(&rig);
    size_t opened = step_count; /* from here on the marks are there */
    rig_send_before = rig.core->ports.job.send;
    rig.core->ports.job.send = send_and_note;
    run_requests((int)count);
    core_destroy(&rig.core); /* its end is part of the run: the log goes into the database, and away */
    sqlite3_vfs_unregister(noting);

    char dir[] = "/dev/shm/driftd-power-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    struct disk disk = {.since = {0}};
    size_t prefixes = 0, disks = 0, acknowledged_count = 0, syncs = 0;
    for (size_t end = 0; end <= step_count; end++) {
        if (end > 0) {
            advance(&disk, end - 1);
            acknowledged_count += steps[end - 1].what == ACK;
            syncs += steps[end - 1].what == SYNC;
        }
        bool changed = end == 0 || steps[end - 1].what != ACK;
        if (end < opened || !changed || end % (size_t)stride)
            continue;
        prefixes++;
        if (prefixes % parts != part)
            continue;
        for (int how = 0; how < 3; how++) {
            if (stride == 1 && !disk_differs(&disk, end, how))
                continue;
            /* The mark goes before the log does, at the end. */
            bool log_there = end < step_count;
            for (size_t i = end; i-- > opened && log_there;)
                if (steps[i].what == DELETE)
                    log_there = false;
            lay_out(&disk, end, how, log_there && end < step_count, dir);
            opens_with_all(dir, disks % 64 ? latest_acks(end) : 0, end, how);
            nftw(dir, rig_unlink, 8, FTW_DEPTH | FTW_PHYS);
            ck_assert_int_eq(mkdir(dir, 0700), 0);
            disks++;
        }
    }
    fprintf(stderr,
            "%ld requests: %zu steps on the disk, %zu syncs, %zu acknowledgements; %zu prefixes, part %zu of %zu: "
            "%zu disks opened, none lost any\n",
            count, step_count - acknowledged_count, syncs, acknowledged_count, prefixes, part, parts, disks);
    nftw(dir, rig_unlink, 8, FTW_DEPTH | FTW_PHYS);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("power");
    TCase *tests = tcase_create("power");
    tcase_set_timeout(tests, 7200);
    tcase_add_test(tests, every_prefix_opens_and_loses_nothing_acknowledged);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
