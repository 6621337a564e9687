/* The station is killed with -9 again and again while a trainer works for it over real sockets. Whatever the trainer was
 * granted is in the store; no request is lost; nothing is offered under a number that was not committed.
 *
 * The station runs in a process of its own: this program, called with "station FOLDER". */
#include <czmq.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/dispatch/dispatch.h"
#include "tests/run_suite.h"
#include "tests/unit/requests_rig.h"
#include "tests/unit/tsan_libzmq.h"

enum { MODELS = 12, KILLS = 40, GRANTS_MAX = 20000 };

/* -- the station's process ------------------------------------------------------------------------------------------- */

static void forget_update(void *argument, struct retrain_update *update)
{
    (void)argument;
    retrain_update_destroy(&update);
}

static void forget_event(void *argument, struct cloud_event *event)
{
    (void)argument;
    cloud_event_drop(event);
}

static void post_trigger(struct requests *station, struct rig *rig, int number)
{
    char model[32];
    snprintf(model, sizeof model, "p/m%d/v", number);
    struct now now = clock_now();
    struct retrain_notice *notice = rig_trigger_notice(rig, model, 0.1 * number);
    notice->at_ns = now.steady_ns;
    notice->at_s = now.wall_s;
    if (inbox_put(requests_inbox(station), (struct letter){LETTER_NOTICE, notice, rig_drop_notice}) < 0)
        retrain_notice_destroy(&notice);
}

static int run_station(const char *dir)
{
    struct rig rig = {.options = rig_options()}; /* nothing else of it: there is no test in this process */
    struct dispatch *dispatch;
    struct requests *station;
    char jobs[128], feedback[128], why[REQUESTS_WHY_MAX];
    const char *jobs_p = jobs, *feedback_p = feedback;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    zsys_handler_set(NULL);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR);
    rig.options.state_dir = dir;
    rig.options.give_up_after = 0;
    rig.options.attempts = 1000000;
    rig.options.accept_within_ns = RIG_S / 5;
    rig.options.lease_ns = RIG_S / 2;
    rig.options.retry_first_ns = rig.options.retry_max_ns = RIG_S / 100;
    snprintf(jobs, sizeof jobs, "ipc://%s/jobs", dir);
    snprintf(feedback, sizeof feedback, "ipc://%s/feedback", dir);
    struct dispatch_options options = {.doors = {.jobs = {{{&jobs_p, 1, NULL}}}, .feedback = {{{&feedback_p, 1, NULL}}}},
                                       .feedback_required = true};
    if (dispatch_new(&dispatch, &options) < 0)
        return 1;
    struct requests_ports ports = {
        .job = dispatch_port(dispatch), .update = forget_update, .event = forget_event, .engine = rig.engine};
    if (requests_start(&station, &rig.options, &ports, why) < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    for (int number = 0;; number = (number + 1) % MODELS) {
        post_trigger(station, &rig, number);
        poll(NULL, 0, 1); /* drifts come one by one */
    }
}

/* -- the trainer's process ------------------------------------------------------------------------------------------- */

static char dir[FOLDER_ROOM];
static pid_t station = -1;
static uint32_t random_state = 42;

static struct {
    char id[REQUEST_ID_LEN + 1];
    unsigned attempt;
} done[GRANTS_MAX];
static int done_count, accepted_count;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static void start_station(void)
{
    station = fork();
    if (station == 0) {
        execl("/proc/self/exe", "story_requests_kill", "station", dir, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_gt(station, 0);
}

static void kill_station(void)
{
    ck_assert_int_eq(waitpid(station, NULL, WNOHANG), 0); /* it has not ended by itself */
    kill(station, SIGKILL);
    ck_assert_int_eq(waitpid(station, NULL, 0), station);
}

/* Says it until there is an answer, on a new socket each time, as a trainer must; true: granted. The station may be killed
 * and started anew in between. */
static bool say(const char *what, const char *id, unsigned attempt, int *kills_left)
{
    char json[160], endpoint[128];
    snprintf(json, sizeof json, "{\"say\": \"%s\", \"request\": \"%s\", \"attempt\": %u, \"trainer\": \"t\"}", what, id,
             attempt);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/feedback", dir);
    for (int tries = 0; tries < 200; tries++) {
        zsock_t *socket = zsock_new(ZMQ_REQ);
        zsock_set_linger(socket, 0);
        zsock_set_rcvtimeo(socket, 250);
        zsock_connect(socket, "%s", endpoint);
        zstr_send(socket, json);
        if (*kills_left > 0 && draw(12) == 0) {
            poll(NULL, 0, (int)draw(3)); /* before, while or after it is heard */
            kill_station();
            start_station();
            --*kills_left;
        }
        char *answer = zstr_recv(socket);
        zsock_destroy(&socket);
        if (answer) {
            bool granted = strncmp(answer, "{\"ok\":true", 10) == 0;
            ck_assert_msg(granted || strstr(answer, "stale_attempt") || strstr(answer, "ended"), "%s: %s", json, answer);
            zstr_free(&answer);
            return granted;
        }
    }
    ck_abort_msg("nobody answers %s", json);
    return false;
}

static void check_store(void)
{
    char file[96], command[160];
    sqlite3 *db;
    sqlite3_stmt *row;
    snprintf(command, sizeof command, "/usr/bin/python3 tests/fault/invariants.py %s/requests.db >&2", dir);
    ck_assert_int_eq(system(command), 0);
    snprintf(file, sizeof file, "%s/requests.db", dir);
    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT state, attempt FROM requests WHERE id = ?1", -1, &row, NULL), SQLITE_OK);
    for (int i = 0; i < done_count; i++) {
        sqlite3_bind_text(row, 1, done[i].id, -1, SQLITE_STATIC);
        ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
        ck_assert_str_eq((const char *)sqlite3_column_text(row, 0), "DONE");
        ck_assert_int_eq(sqlite3_column_int(row, 1), (int)done[i].attempt);
        sqlite3_reset(row);
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
}

static zsock_t *puller(void)
{
    zsock_t *socket = zsock_new(ZMQ_PULL);
    zsock_set_rcvhwm(socket, 1);
    zsock_set_rcvtimeo(socket, 5000);
    zsock_set_reconnect_ivl(socket, 5);
    zsock_connect(socket, "ipc://%s/jobs", dir);
    return socket;
}

START_TEST(nothing_is_lost_by_kills)
{
    int kills = KILLS;
    zsys_handler_set(NULL);
    folder_make(dir);
    start_station();
    zsock_t *socket = puller();
    while ((kills > 0 || done_count < 200) && done_count < GRANTS_MAX) {
        char id[REQUEST_ID_LEN + 1];
        char *job = zstr_recv(socket);
        ck_assert_ptr_nonnull(job);
        json_t *root = json_loads(job, JSON_REJECT_DUPLICATES, NULL), *data = json_object_get(root, "data");
        unsigned attempt = (unsigned)json_integer_value(json_object_get(data, "attempt"));
        snprintf(id, sizeof id, "%s", json_string_value(json_object_get(data, "request")));
        json_decref(root);
        zstr_free(&job);
        if (!say("accept", id, attempt, &kills))
            continue; /* an offer that has been overtaken */
        accepted_count++;
        if (draw(20) == 0)
            continue; /* the trainer forgets it: its lease runs out */
        if (!say("done", id, attempt, &kills))
            continue;
        snprintf(done[done_count].id, sizeof done->id, "%s", id);
        done[done_count++].attempt = attempt;
    }
    kill_station();
    zsock_destroy(&socket);
    check_store();
    ck_assert_int_eq(kills, 0);
    ck_assert_int_ge(done_count, 200);
    folder_remove(dir);
    zsys_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "station") == 0)
        return run_station(argv[2]);
    Suite *suite = suite_create("requests kill");
    TCase *tests = tcase_create("kills");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, nothing_is_lost_by_kills);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
