/* What is no mistake in a configuration, and hardly what was meant. */
#include <stdio.h>

#include "lib/config/box.h"
#include "lib/config/mistakes.h"

struct teller {
    const struct config *config;
    config_error_fn *tell;
    void *argument;
};

/* A day's GPU-hours that are fewer than one attempt takes: such a request would wait without a word. */
static void check_gpu_hours(const struct teller *to, const char *key, double per_day)
{
    const struct strategy *all = to->config->retraining.strategies, *least = NULL, *most = NULL;
    char line[512];
    if (!(per_day > 0))
        return;
    for (uint32_t i = 0; i < to->config->retraining.strategy_count; i++) {
        least = !least || all[i].gpu_hours < least->gpu_hours ? &all[i] : least;
        most = !most || all[i].gpu_hours > most->gpu_hours ? &all[i] : most;
    }
    if (!least || most->gpu_hours <= per_day)
        return;
    if (least->gpu_hours > per_day)
        snprintf(line, sizeof line, "%s, %.9g, is less than every strategy costs (%s, the cheapest, %.9g): every request waits for ever",
                 key, per_day, least->name, least->gpu_hours);
    else
        snprintf(line, sizeof line, "%s, %.9g, is less than the strategy %s costs (%.9g): a request that gets it waits for ever", key,
                 per_day, most->name, most->gpu_hours);
    to->tell(to->argument, line);
}

static const char *overlap_gap(const struct config *config)
{
    bool own = false;
    for (uint32_t i = 0; i < config->projects.count; i++)
        own = own || config->projects.at[i].jobs.count + config->projects.at[i].events.count > 0;
    if (!own || config->security.curve != CONFIG_CURVE_ON ||
        config->security.overlap.metrics.count + config->security.overlap.jobs.count +
                config->security.overlap.feedback.count + config->security.overlap.events.count ==
            0)
        return NULL;
    return "security.overlap does not reach the endpoints of projects: these have server_key alone, and whoever is limited to "
           "projects is out from the change of server_key until it has the new one";
}

static void tell_gpu_hours(const struct teller *to)
{
    const struct config *config = to->config;
    char key[MODEL_ID_SEGMENT_MAX + 64], quoted[MISTAKES_QUOTE_MAX];
    check_gpu_hours(to, "retraining.limits.gpu_hours_per_day", config->retraining.limits.gpu_hours_per_day);
    for (uint32_t i = 0; i < config->retraining.project_count; i++) {
        const struct config_project_limits *project = &config->retraining.projects[i];
        snprintf(key, sizeof key, "retraining.limits.projects.%s.gpu_hours_per_day",
                 mistakes_key(text_of(project->project), quoted));
        check_gpu_hours(to, key, project->limits.gpu_hours_per_day);
    }
}

void config_notes(const struct config *self, config_error_fn *tell, void *argument)
{
    const struct config_box *box = (const struct config_box *)self;
    const struct teller to = {self, tell, argument};
    const char *gap = overlap_gap(self);
    if (gap)
        tell(argument, gap);
    tell_gpu_hours(&to);
    for (uint32_t i = 0; i < box->note_count; i++)
        tell(argument, box->notes[i]);
}
