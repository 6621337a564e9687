/* triggers.c - durable triggers a second: from a monitor's notice in the inbox to what is said after the commit.
 *
 *   triggers DIR COUNT [KILL_AT]
 *
 * The station of requests as the daemon runs it (thread, store with synchronous=FULL, sockets for jobs) is handed COUNT
 * triggers of as many models in a process of its own; no trainer is there. At most QUEUED notices wait at a time, so
 * that the rate is a sustained one. A trigger counts once the station has told its model's keeper that a request is
 * live, which follows the commit. With KILL_AT the station's process is killed (SIGKILL) when so many are told of; in
 * either case the store is then opened and asked for every model that was told of: `lost` is how many it does not know
 * of. Before, FSYNCS times a page is appended to a file in DIR and fdatasync(2) timed. DIR must be empty; what is made
 * in it stays.
 *
 * Prints one JSON object: triggers_per_s, told, lost, cpu_us (the station's process, a trigger), thread_us (the
 * station's thread alone, which is what bounds the rate), fdatasync_p50_us and _p99_us.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/dispatch/dispatch.h"
#include "daemon/requests/requests.h"
#include "daemon/requests/store.h"

#define QUEUED 4096
#define FSYNCS 2000
#define PAGE 4096

/* Shared with the process that may be killed. */
struct told {
    atomic_ulong count;
    atomic_llong began_ns, ended_ns, thread_ns;
    atomic_uchar models[];
};

static struct told *told;
static unsigned long wanted;

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "triggers: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_ns(void)
{
    return clock_now().steady_ns;
}

/* -- the disk's own time
 * ------------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void time_fsyncs(const char *dir)
{
    static int64_t took[FSYNCS];
    static char page[PAGE], path[4096];
    snprintf(path, sizeof path, "%s/fsyncs", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (int i = 0; i < FSYNCS; i++) {
        int64_t began = now_ns();
        if (write(fd, page, sizeof page) != sizeof page || fdatasync(fd) < 0)
            fail(path, strerror(errno));
        took[i] = now_ns() - began;
    }
    close(fd);
    unlink(path);
    qsort(took, FSYNCS, sizeof *took, by_value);
    const int64_t p50 = took[FSYNCS / 2], p99 = took[FSYNCS * 99 / 100];
    printf("\"fdatasync_p50_us\": %.1f, \"fdatasync_p99_us\": %.1f", (double)p50 / 1e3, (double)p99 / 1e3);
}

/* -- the station
 * -------------------------------------------------------------------------------------------------------- */

static void model_of(char out[MODEL_ID_MAX + 1], unsigned long number)
{
    snprintf(out, MODEL_ID_MAX + 1, "bench/model-%07lu/v1", number);
}

static void take_update(void *argument, struct retrain_update *update)
{
    (void)argument;
    unsigned long number = strtoul(update->model + strlen("bench/model-"), NULL, 10);
    if (update->live && number < wanted && atomic_exchange(&told->models[number], 1) == 0 &&
        atomic_fetch_add(&told->count, 1) + 1 == wanted)
        atomic_store(&told->ended_ns, now_ns());
    retrain_update_destroy(&update);
}

static void take_silences(void *argument, const struct silences *silences)
{
    (void)argument, (void)silences;
}

static void take_event(void *argument, struct cloud_event *event)
{
    (void)argument;
    cloud_event_drop(event);
}

static void drop_notice(void *body)
{
    struct retrain_notice *notice = body;
    retrain_notice_destroy(&notice);
}

static void put_trigger(struct inbox *inbox, unsigned long number)
{
    struct retrain_notice *notice = calloc(1, sizeof *notice);
    struct now now = clock_now();
    if (!notice)
        fail("a notice", strerror(ENOMEM));
    notice->kind = NOTICE_TRIGGERED;
    model_of(notice->model, number);
    notice->at_ns = notice->first_seen_ns = now.steady_ns;
    notice->at_s = now.wall_s;
    notice->trigger = (struct trigger){.rule = "accuracy mean < 0.8",
                                       .metric = "accuracy",
                                       .observed = 0.52,
                                       .limit = 0.8,
                                       .severity = (double)(number * 7919 % 1000) / 1000,
                                       .window = 64,
                                       .failures = 3,
                                       .change_at_s = now.wall_s - 3,
                                       .window_start_s = now.wall_s - 60,
                                       .window_end_s = now.wall_s};
    notice->metrics_json = strdup("{\"accuracy\":{\"last\":0.5,\"mean\":0.52,\"n\":64},\"latency_ms\":{\"last\":41.5,"
                                  "\"mean\":40.25,\"n\":64},\"processed_fps\":{\"last\":30,\"mean\":29.5,\"n\":64}}");
    if (inbox_put(inbox, (struct letter){LETTER_NOTICE, notice, drop_notice}) < 0)
        fail("a notice", strerror(ENOMEM));
}

static struct requests *station_start(const char *dir)
{
    static char jobs[4096], feedback[4096], why[REQUESTS_WHY_MAX];
    static const char *const bind_jobs[] = {jobs}, *const bind_feedback[] = {feedback};
    struct dispatch *dispatch;
    struct requests *requests;
    snprintf(jobs, sizeof jobs, "ipc://%s/jobs", dir);
    snprintf(feedback, sizeof feedback, "ipc://%s/feedback", dir);
    struct dispatch_options sockets = {
        .doors = {.jobs = {{{bind_jobs, 1, NULL}}}, .feedback = {{{bind_feedback, 1, NULL}}}},
        .feedback_required = true};
    struct requests_options options = {.state_dir = dir,
                                       .source = "driftd/bench",
                                       .feedback_required = true,
                                       .accept_within_ns = 30 * CLOCK_S_NS,
                                       .lease_ns = 300 * CLOCK_S_NS,
                                       .max_run_ns = 43200 * CLOCK_S_NS,
                                       .retry_first_ns = 30 * CLOCK_S_NS,
                                       .retry_max_ns = 3600 * CLOCK_S_NS,
                                       .attempts = 3,
                                       .choose = "history",
                                       .strategies = strategy_defaults,
                                       .strategy_count = 3,
                                       .give_up_after = 3,
                                       .fleet = {.concurrent = 4, .per_model_per_day = 2, .per_day = 20}};
    if (dispatch_new(&dispatch, &sockets) < 0)
        fail("sockets", strerror(ENOMEM));
    struct requests_ports ports = {
        .job = dispatch_port(dispatch), .update = take_update, .silences = take_silences, .event = take_event};
    if (requests_start(&requests, &options, &ports, why) < 0)
        fail("the station", why);
    return requests;
}

/* Processor time of this process's thread of that name, in ns; 0: there is none. */
static long long thread_ns(const char *wanted_name)
{
    DIR *threads = opendir("/proc/self/task");
    long long found = 0;
    for (struct dirent *thread; threads && (thread = readdir(threads));) {
        char path[300], name[32] = "";
        long long ns = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", thread->d_name);
        FILE *file = fopen(path, "re");
        bool is_it = file && fscanf(file, "%31s", name) == 1 && strcmp(name, wanted_name) == 0;
        if (file)
            fclose(file);
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", thread->d_name);
        file = is_it ? fopen(path, "re") : NULL;
        if (file && fscanf(file, "%lld", &ns) == 1)
            found = ns;
        if (file)
            fclose(file);
    }
    if (threads)
        closedir(threads);
    return found;
}

static _Noreturn void run_station(const char *dir)
{
    static const struct timespec moment = {.tv_nsec = 200000};
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR);
    struct requests *requests = station_start(dir);
    struct inbox *inbox = requests_inbox(requests);
    atomic_store(&told->began_ns, now_ns());
    for (unsigned long number = 0; number < wanted; number++) {
        while (number % 256 == 0 && inbox_count(inbox) >= QUEUED)
            nanosleep(&moment, NULL);
        put_trigger(inbox, number);
    }
    while (!atomic_load(&told->ended_ns))
        nanosleep(&moment, NULL);
    atomic_store(&told->thread_ns, thread_ns("requests"));
    requests_stop(&requests, NULL);
    _exit(0);
}

/* -- what the store has of it
 * --------------------------------------------------------------------------------------------- */

static int find_waiting(void *argument, struct request *request)
{
    unsigned long number = strtoul(request->model + strlen("bench/model-"), NULL, 10);
    if (number < wanted && request->state == REQUEST_PENDING)
        ((bool *)argument)[number] = true;
    return 0;
}

static unsigned long count_lost(const char *dir)
{
    struct store *store;
    struct store_model row;
    struct now now = clock_now();
    char why[STORE_WHY_MAX], model[MODEL_ID_MAX + 1];
    unsigned long lost = 0;
    bool *waits = calloc(wanted, sizeof *waits);
    if (store_open(&store, dir, "after", (struct moment){.steady_ns = now.steady_ns, .wall_s = now.wall_s}, why) < 0)
        fail("the store afterwards", why);
    if (!waits || store_each_live(store, find_waiting, waits) < 0)
        fail("the store afterwards", "its live requests cannot be read");
    for (unsigned long number = 0; number < wanted; number++) {
        model_of(model, number);
        if (!atomic_load(&told->models[number]))
            continue;
        lost += !waits[number] || store_get_model(store, model, &row) != 1 || !*row.request;
    }
    store_close(&store);
    free(waits);
    return lost;
}

int main(int argc, char **argv)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    if (argc < 3)
        fail("usage", "triggers DIR COUNT [KILL_AT]");
    wanted = strtoul(argv[2], NULL, 10);
    unsigned long kill_at = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    told = mmap(NULL, sizeof *told + wanted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED)
        fail("memory", strerror(errno));
    printf("{");
    time_fsyncs(argv[1]);
    fflush(stdout);
    pid_t station = fork();
    if (station == 0)
        run_station(argv[1]);
    int status = 0;
    struct rusage use = {.ru_maxrss = 0};
    if (kill_at) {
        while (atomic_load(&told->count) < kill_at && waitpid(station, &status, WNOHANG) == 0)
            nanosleep(&moment, NULL);
        kill(station, SIGKILL);
    }
    wait4(station, &status, 0, &use);
    if (WIFSIGNALED(status) ? !kill_at : WEXITSTATUS(status) != 0)
        fail("the station", "it ended otherwise than it should");
    double took_s = (double)(atomic_load(&told->ended_ns) - atomic_load(&told->began_ns)) / 1e9;
    double cpu_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                   (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    unsigned long count = atomic_load(&told->count);
    if (!kill_at)
        printf(", \"triggers_per_s\": %.0f, \"thread_us\": %.2f", (double)wanted / took_s,
               (double)atomic_load(&told->thread_ns) / 1e3 / (double)wanted);
    printf(", \"told\": %lu, \"lost\": %lu, \"cpu_us\": %.2f, \"rss_mb\": %.0f}\n", count, count_lost(argv[1]),
           cpu_s * 1e6 / (double)(count ? count : 1), (double)use.ru_maxrss / 1024);
    return 0;
}
