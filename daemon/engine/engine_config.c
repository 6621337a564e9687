#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/engine/inside.h"
#include "lib/config/budgets.h"
#include "lib/config/print.h"

/* `workers: auto`: with few cores the hand-over may cost more than a second core brings. It is measured then. */
#define CORES_FOR_THREADS 4
#define CORES_FOR_OTHERS 2 /* libzmq's I/O thread and ingest */
#define THREADS_AUTO_MAX 8
#define GATHER_NS 500000 /* half a millisecond is not seen in a metric; see pace.h */

static void print_mistake(void *argument, const char *line)
{
    (void)argument;
    fprintf(stderr, "%s\n", line);
}

static const char *from_environment(void *argument, const char *name)
{
    (void)argument;
    return getenv(name);
}

/* A unit with StateDirectory= has its folders; whoever starts the daemon by hand, and is not root, uses his own. */
static bool run_by_hand(void)
{
    return geteuid() != 0 && !getenv("STATE_DIRECTORY");
}

int engine_load(struct config **self_p, const struct engine_files *files, bool no_env, config_error_fn *mistake,
                void *argument)
{
    struct config_options options = {.no_env = no_env,
                                     .as_user = run_by_hand(),
                                     .uid = geteuid(),
                                     .folder = files->folder,
                                     .folder_may_lack = files->folder_may_lack,
                                     .lasting = true,
                                     .getenv = from_environment};
    return config_load(self_p, files->file, &options, mistake ? mistake : print_mistake, argument);
}

static void print_note(void *argument, const char *line)
{
    (void)argument;
    fprintf(stderr, "note: %s\n", line);
}

int engine_check(const struct engine_files *files, bool no_env)
{
    struct config *config;
    int rc = engine_load(&config, files, no_env, NULL, NULL);
    if (rc < 0)
        return EXIT_CONFIGURATION;
    if (!no_env)
        rc = engine_security_check(config, print_mistake, NULL);
    if (rc >= 0)
        config_notes(config, print_note, NULL);
    config_destroy(&config);
    return rc < 0 ? EXIT_CONFIGURATION : EXIT_STOPPED;
}

static void print_line(void *argument, const char *line)
{
    (void)argument;
    puts(line);
}

int engine_print(const struct engine_files *files)
{
    struct config *config;
    if (engine_load(&config, files, false, NULL, NULL) < 0)
        return EXIT_CONFIGURATION;
    int rc = config_print(config, print_line, NULL);
    config_destroy(&config);
    if (rc == 0 && fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_STOPPED;
    fprintf(stderr, "driftd: the configuration cannot be written out: %s\n", strerror(rc < 0 ? -rc : errno));
    return EXIT_IO;
}

static uint32_t cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (uint32_t)count : 1;
}

uint32_t engine_worker_threads(const struct config *config)
{
    if (config->workers >= 0)
        return (uint32_t)config->workers;
    uint32_t there = cores();
    if (there < CORES_FOR_THREADS)
        return 0;
    uint32_t threads = there - CORES_FOR_OTHERS;
    return threads < THREADS_AUTO_MAX ? threads : THREADS_AUTO_MAX;
}

bool engine_lends_a_thread(const struct config *config)
{
    return config->workers < 0 && engine_worker_threads(config) == 0 && cores() > 1;
}

uint32_t engine_budget_count(const struct config *config)
{
    return config->budgets ? config->budgets->block_count : 0;
}

static enum log_level level_of(const struct config *config)
{
    static const enum log_level levels[] = {[CONFIG_LOG_DEBUG] = LOG_LEVEL_DEBUG,
                                            [CONFIG_LOG_INFO] = LOG_LEVEL_INFO,
                                            [CONFIG_LOG_WARNING] = LOG_LEVEL_WARNING,
                                            [CONFIG_LOG_ERROR] = LOG_LEVEL_ERROR};
    return levels[config->log.level];
}

void engine_set_log_level(const struct config *config)
{
    log_set_level(level_of(config));
}

void engine_open_log(const struct config *config)
{
    static const enum log_format formats[] = {[CONFIG_LOG_AUTO] = LOG_FORMAT_AUTO,
                                              [CONFIG_LOG_JOURNAL] = LOG_FORMAT_JOURNAL,
                                              [CONFIG_LOG_LOGFMT] = LOG_FORMAT_LOGFMT,
                                              [CONFIG_LOG_JSON] = LOG_FORMAT_JSON};
    log_open(formats[config->log.format], level_of(config));
}

struct ingest_options engine_ingest_options(const struct config *config)
{
    return (struct ingest_options){.connect = config->metrics.connect.at,
                                   .connect_count = config->metrics.connect.count,
                                   .queue = config->metrics.queue,
                                   .max_message_bytes = config->metrics.max_message_bytes,
                                   .gather_ns = GATHER_NS};
}

/* `char **` does not become `const char *const *` by itself in C. */
static const char *const *const_list(const struct config_endpoints *endpoints)
{
    return (const char *const *)endpoints->at;
}


struct http_options engine_http_options(const struct config *config)
{
    return (struct http_options){.listen = config->http.listen,
                                 .hosts = const_list(&config->http.hosts),
                                 .host_count = config->http.hosts.count};
}

static struct requests_project limits_of(const char *project, const struct config_limits *limits)
{
    return (struct requests_project){.project = project,
                                     .concurrent = limits->concurrent,
                                     .per_model_per_day = limits->per_model_per_day,
                                     .per_day = limits->per_day,
                                     .gpu_hours_per_day = limits->gpu_hours_per_day};
}

struct requests_options engine_requests_options(const struct engine *self, const struct config *config,
                                                struct requests_project *projects)
{
    for (uint32_t i = 0; i < config->retraining.project_count; i++)
        projects[i] = limits_of(config->retraining.projects[i].project, &config->retraining.projects[i].limits);
    return (struct requests_options){.state_dir = config->state.dir,
                                     .keep_ns = config->state.keep_ns,
                                     .source = self->source,
                                     .feedback_required = config->jobs.feedback == CONFIG_FEEDBACK_REQUIRED,
                                     .accept_within_ns = config->jobs.accept_within_ns,
                                     .lease_ns = config->jobs.lease_ns,
                                     .max_run_ns = config->jobs.max_run_ns,
                                     .retry_first_ns = config->jobs.retry_first_ns,
                                     .retry_max_ns = config->jobs.retry_max_ns,
                                     .attempts = config->jobs.attempts,
                                     .seed = config->retraining.seed,
                                     .choose = config->retraining.choose,
                                     .strategies = config->retraining.strategies,
                                     .strategy_count = config->retraining.strategy_count,
                                     .give_up_after = config->retraining.give_up_after,
                                     .fleet = limits_of(NULL, &config->retraining.limits),
                                     .projects = projects,
                                     .project_count = config->retraining.project_count};
}

static void add_note(void *argument, const char *line)
{
    json_array_append_new(argument, json_string(line));
}

json_t *engine_warnings(const struct engine *self)
{
    json_t *all = json_array();
    if (!self->config->has_budgets)
        add_note(all, "no budgets are configured: models are shown, none is judged");
    config_notes(self->config, add_note, all);
    if (self->security && keyring_count(self->keyring) == 0)
        json_array_append_new(all, json_sprintf("%s lists nobody: nobody is let in", self->config->security.clients));
    if (json_array_size(all) > 0)
        return all;
    json_decref(all);
    return NULL;
}

void engine_warn(const struct engine *self)
{
    json_t *all = engine_warnings(self);
    for (size_t i = 0; i < json_array_size(all); i++)
        log_warning(json_string_value(json_array_get(all, i)));
    json_decref(all);
}
