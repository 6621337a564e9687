/* config.h - the YAML file of budgets, read strictly into plain structs.
 *
 * config_load() reports every error at once, each as "file:line:column: key: what is wrong, what is allowed". One table
 * (schema.c) says for every key its type, range and default. Only the engine and the tools know that YAML exists:
 * stations are handed the few options they need.
 *
 * Threads: what struct config holds does not change once it is loaded, and may be read by many. config_settings_for()
 * remembers what it made: one thread at a time, and whoever has several sees to that. Memory: the configuration owns
 * all it points to, until config_destroy(). Failure: negative errors; on failure nothing is made.
 */
#ifndef DRIFT_LIB_CONFIG_CONFIG_H
#define DRIFT_LIB_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/model_id.h"
#include "lib/monitor/monitor.h"
#include "lib/retrain/strategy.h"

#define CONFIG_ENDPOINTS_MAX 32
#define CONFIG_STRATEGIES_MAX 64
#define CONFIG_PROJECTS_MAX 64 /* with endpoints of their own */

struct config_endpoints {
    char *at[CONFIG_ENDPOINTS_MAX];
    uint32_t count;
};

/* Limits of retraining; 0: none set. */
struct config_limits {
    uint32_t concurrent, per_model_per_day, per_day;
    double gpu_hours_per_day;
};

struct config_project_limits {
    char project[MODEL_ID_SEGMENT_MAX + 1];
    struct config_limits limits;
};

/* A project's own endpoints: a key that is limited to projects may connect there and nowhere else. */
struct config_project {
    char project[MODEL_ID_SEGMENT_MAX + 1];
    struct config_endpoints jobs, events;
};

struct config_projects {
    struct config_project *at; /* in the order of their names */
    uint32_t count;
};

enum config_feedback { CONFIG_FEEDBACK_REQUIRED, CONFIG_FEEDBACK_NONE };
enum config_log_level { CONFIG_LOG_DEBUG, CONFIG_LOG_INFO, CONFIG_LOG_WARNING, CONFIG_LOG_ERROR };
enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_JOURNAL, CONFIG_LOG_LOGFMT, CONFIG_LOG_JSON };

enum config_curve { CONFIG_CURVE_OFF, CONFIG_CURVE_ON };
enum config_answer { CONFIG_NO, CONFIG_YES };

struct config {
    struct {
        struct config_endpoints bind, connect;
        uint32_t queue;
        uint64_t max_message_bytes;
        uint32_t max_models;
        int64_t max_future_ns;
    } metrics;
    struct {
        struct config_endpoints bind;
        enum config_feedback feedback;
        int64_t accept_within_ns, lease_ns, max_run_ns;
        uint32_t attempts;
        int64_t retry_first_ns, retry_max_ns;
    } jobs;
    struct config_endpoints feedback, events, control;
    struct {
        char *listen; /* "host:port"; NULL: off */
        struct config_endpoints hosts; /* names that browsers may ask for */
    } http;
    int32_t workers; /* -1: auto */
    struct alarm_budget fleet_alarms; /* of all models together; all zero: not bounded */
    struct {
        char *dir;
        int64_t checkpoint_ns; /* how often monitors are written down */
        int64_t keep_ns;       /* how long ended requests are kept, and models that say nothing */
    } state;
    struct {
        enum config_log_level level;
        enum config_log_format format;
    } log;
    struct {
        enum config_curve curve;
        enum config_answer i_know; /* that what is sent can be read and forged beyond this machine */
        char *server_key, *clients; /* files */
        struct { /* endpoints of the key that is to come, beside the others; none: there is no such key */
            char *server_key;
            struct config_endpoints metrics, jobs, feedback, events;
        } overlap;
    } security;
    struct config_projects projects;
    struct {
        uint64_t seed;
        struct config_limits limits;
        struct config_project_limits *projects;
        uint32_t project_count;
        uint32_t give_up_after;
        char choose[STRATEGY_NAME_MAX + 1];
        struct strategy strategies[CONFIG_STRATEGIES_MAX];
        uint32_t strategy_count;
    } retraining;
    bool has_budgets;
    struct config_budgets *budgets; /* the blocks, with the place of each key */
};

struct config_options {
    bool no_env;  /* ${NAME} without a value is no error: secrets may be absent where one only checks */
    bool as_user; /* run by hand without root: state and control default to the XDG folders */
    uint32_t uid; /* whose run it is: names the folder in /tmp where the environment names none */
    const char *folder;    /* conf.d: every *.yaml in it is read as well, in name order; NULL: none */
    bool folder_may_lack;  /* it is no mistake if it is not there */
    bool lasting;          /* it will be read again: a pipe is a mistake */
    const char *(*getenv)(void *argument, const char *name); /* NULL: no variable is set */
    void *getenv_argument;
};

/* Called once for each error, with a whole line of text and no newline. */
typedef void config_error_fn(void *argument, const char *line);

/* Reads `path` and then the files of options->folder: their budgets come behind one another, any other section may stand
 * in one file only. NULL options are all zero. Returns 0 and *self_p, or a negative error after having told `error` of
 * everything that is wrong: -EINVAL for mistakes in the text, -ENOENT and the like for a file that cannot be read. */
int config_load(struct config **self_p, const char *path, const struct config_options *options, config_error_fn *error,
                void *argument);

/* The same of a text in memory, `name` standing for the file in messages. */
int config_parse(struct config **self_p, const char *name, struct text yaml, const struct config_options *options,
                 config_error_fn *error, void *argument);

/* The budgets that hold for a model: all matching blocks, merged key by key. Models that match the same blocks share
 * one settings object, which the configuration owns. NULL where no block matches: shown, never judged. *out_p untouched
 * on -ENOMEM. Costs a search among the blocks of the model's project and those whose project has a wildcard. */
int config_settings_for(struct config *self, const struct model_id *model, const struct monitor_settings **out_p);

/* What is no mistake, and hardly what was meant, a line each: promises that no threshold keeps, limits that values cannot be told
 * apart at, endpoints of projects beside `security.overlap`, a day too short for an attempt. */
void config_notes(const struct config *self, config_error_fn *tell, void *argument);

/* Promises that `before` has worked out need not be worked out again: they are looked up there, and copied, until another
 * is named or NULL. Nobody may change `before` during this call; afterwards config_settings_for() may be used on both, each
 * by one thread. */
void config_inherit(struct config *self, const struct config *before);

/* What stands behind config_settings_for() when no block matches: the defaults, no KPI. */
const struct monitor_settings *config_settings_default(void);

/* Where a key was set. `file` belongs to the configuration; NULL, and line 0, where the default stands. */
struct config_place {
    const char *file;
    uint32_t line, column; /* from 1 */
};

/* Where a key outside `budgets` was set: "metrics.queue", "retraining.strategies.pbt.gpu_hours". False, and no place,
 * where the default stands. */
bool config_place_of(const struct config *self, const char *key, struct config_place *out);

/* The same of a key in what config_settings_for() gave: "window", "kpis.accuracy.min". */
bool config_settings_place(const struct config *self, const struct monitor_settings *settings, const char *key,
                           struct config_place *out);

/* Where rule `index` of such settings was set: an item of `drift`, or the limit of a KPI with `test: evidence`. */
bool config_rule_place(const struct config *self, const struct monitor_settings *settings, uint32_t index,
                       struct config_place *out);

/* Every key that counts for a model, by its path below `budgets` or in the file ("window", "kpis.accuracy.min",
 * "retraining.limits.concurrent"), its value as a person would write it, and where it was set: no place where the default
 * stands. `settings` are those of config_settings_for(), or NULL: no block matches. */
typedef void config_effective_fn(void *argument, const char *key, const char *value, const struct config_place *place);
void config_effective(const struct config *self, const struct model_id *model, const struct monitor_settings *settings,
                      config_effective_fn *tell, void *argument);

/* Where the control socket is when no file says so, for tools that look for it. Returns 0, or -ENAMETOOLONG. */
#define CONFIG_ENDPOINT_MAX 256
int config_control_default(char out[CONFIG_ENDPOINT_MAX], const struct config_options *options);

void config_destroy(struct config **self_p);

#endif
