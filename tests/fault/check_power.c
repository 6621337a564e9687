/* The power goes at every moment of a run of requests: each prefix of what was written opens, and has everything that
 * anybody was told of.
 *
 * A file system under SQLite notes every write, truncation, deletion and sync, and every acknowledgement in between: a
 * job sent, a reply, an event. Afterwards the disk is made anew as it may look when the power went after each of these
 * steps: what was synced is there; what was not is there, or is not, or in part, in any combination by chance. The
 * store is opened on it and asked for all that was acknowledged until then. Disks that cannot differ are opened once.
 * The run has every transition of the life cycle, or the test fails.
 *
 * POWER: requests in the run (60, at least). STRIDE: every so many-th prefix (1). SEED: of chance (1). PART=n/m: the
 * n-th of m parts of the prefixes, from 0, so that processes can share them. All prefixes of a long run, on two cores:
 *
 *     for part in 0 1; do POWER=500 PART=$part/2 nice build/fault/tests/fault/check_power & done; wait */
#include "tests/fault/power_run.h"
#include "tests/run_suite.h"

/* What the lines of one attempt, or of all (0), say. */
struct reached {
    bool to[REQUEST_STATES], back;
    unsigned attempt;
};

static void note_line(void *argument, const struct store_line *line)
{
    struct reached *reached = argument;
    enum request_state to;
    if (reached->attempt && line->attempt != reached->attempt)
        return;
    ck_assert_int_eq(request_state_of(text_of(line->to), &to), 0);
    reached->to[to] = true;
    reached->back |= line->from && strcmp(line->from, "RUNNING") == 0 && to != REQUEST_RUNNING;
}

/* A live request, which the store does not find by its id. */
struct alive {
    char id[REQUEST_ID_LEN + 1];
    int64_t number;
    struct alive *next;
};

static int note_alive(void *argument, struct request *request)
{
    struct alive **first_p = argument, *alive = malloc(sizeof *alive);
    ck_assert_ptr_nonnull(alive);
    *alive = (struct alive){.number = request->number, .next = *first_p};
    snprintf(alive->id, sizeof alive->id, "%s", request->id);
    *first_p = alive;
    return 0;
}

/* 0: there is no such request. */
static int64_t number_of(struct store *store, const struct alive *alive, const char *id)
{
    for (; alive; alive = alive->next) {
        if (strcmp(alive->id, id) == 0)
            return alive->number;
    }
    struct request ended = {.number = 0};
    ck_assert_int_ge(store_get_ended(store, id, &ended), 0);
    request_texts_free(&ended);
    return ended.number;
}

/* Opens the store and asks for the acknowledgements among steps [first, end). */
static void opens_with_all(const char *dir, size_t first, size_t end, int how)
{
    struct store *store;
    char why[STORE_WHY_MAX];
    struct moment later = {.steady_ns = INT64_C(900000) * RIG_S, .wall_s = RIG_WALL_S + 900000};
    int rc = store_open(&store, dir, "first", later, why);
    ck_assert_msg(rc == 0, "the power went before step %zu (%d): %d: %s", end, how, rc, why);
    struct alive *alive = NULL;
    ck_assert_int_eq(store_each_live(store, note_alive, &alive), 0);
    for (size_t i = first; i < end; i++) {
        if (steps[i].what != ACK)
            continue;
        struct reached reached = {.attempt = steps[i].ack.attempt};
        int64_t number = number_of(store, alive, steps[i].ack.request);
        ck_assert_int_ge(store_each_line(store, number, note_line, &reached), 0);
        bool good = reached.to[steps[i].ack.state] || (steps[i].ack.state == REQUEST_PENDING && reached.back);
        ck_assert_msg(good,
                      "the power went before step %zu (%d): %s of attempt %u was acknowledged at step %zu and is lost",
                      end, how, request_state_name(steps[i].ack.state), steps[i].ack.attempt, i);
    }
    while (alive) {
        struct alive *next = alive->next;
        free(alive);
        alive = next;
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

/* Which prefixes are opened, and what that came to. */
struct sweep {
    size_t stride, part, parts;
    size_t prefixes, disks, acks, syncs;
    size_t asked[3]; /* acknowledgements that were asked for when such a disk was last opened */
};

static void open_prefix(struct sweep *sweep, const struct disk *disk, size_t end, const char *dir)
{
    for (int how = 0; how < 3; how++) {
        if (sweep->stride == 1 && !disk_differs(disk, end, how) && sweep->asked[how] == sweep->acks)
            continue;
        sweep->asked[how] = sweep->acks;
        lay_out(disk, end, how, dir);
        opens_with_all(dir, sweep->disks % 64 ? latest_acks(end) : 0, end, how);
        folder_remove(dir);
        ck_assert_int_eq(mkdir(dir, 0700), 0);
        sweep->disks++;
    }
}

static void open_every_prefix(struct sweep *sweep)
{
    char dir[] = "/dev/shm/driftd-power-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    struct disk disk = {.since = {0}};
    for (size_t end = 0; end <= step_count; end++) {
        if (end > 0) {
            advance(&disk, end - 1);
            sweep->acks += steps[end - 1].what == ACK;
            sweep->syncs += steps[end - 1].what == SYNC;
        }
        /* After the last of several acknowledgements in a row: they are all asked for at once. */
        bool more_acks = end < step_count && end > 0 && steps[end - 1].what == ACK && steps[end].what == ACK;
        if (more_acks || end % sweep->stride)
            continue;
        if (sweep->prefixes++ % sweep->parts == sweep->part)
            open_prefix(sweep, &disk, end, dir);
    }
    disk_free(&disk);
    folder_remove(dir);
}

START_TEST(every_prefix_opens_and_loses_nothing_acknowledged)
{
    long count = number_from("POWER", 60);
    ck_assert(count >= 60 && count <= RUN_MANY);
    struct sweep sweep = {.stride = (size_t)number_from("STRIDE", 1), .parts = 1};
    if (getenv("PART"))
        ck_assert_int_eq(sscanf(getenv("PART"), "%zu/%zu", &sweep.part, &sweep.parts), 2);
    chance = (uint64_t)number_from("SEED", 1);
    rig_new(&rig);
    snprintf(open_mark, sizeof open_mark, "%s/requests.db-open", rig.dir);
    snprintf(made_mark, sizeof made_mark, "%s/requests.db-made", rig.dir);
    rig.options.lease_ns = 100 * RIG_S;
    rig.options.max_run_ns = 150 * RIG_S;
    sqlite3_vfs *noting = noting_begin(&disk_fails);
    make_older_store(60);
    begin_life();
    run_requests((int)count);
    sqlite3_vfs_unregister(noting);
    run_covers_the_life_cycle();
    open_every_prefix(&sweep);
    fprintf(stderr,
            "%ld requests: %zu steps on the disk, %zu syncs, %zu acknowledgements; %zu prefixes, part %zu of %zu: "
            "%zu disks opened, none lost any\n",
            count, step_count - sweep.acks, sweep.syncs, sweep.acks, sweep.prefixes, sweep.part, sweep.parts,
            sweep.disks);
    steps_free();
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
    return run_suite(suite);
}
