#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/say.h"
#include "cli/settings.h"
#include "lib/calibrate/chart.h"
#include "lib/detect/detect.h"

struct wanted {
    struct settings settings;
    double shift;
    double arl0; /* NAN: the run length is asked for, not the threshold */
};

static const char *option(void *input, int key, const char *value)
{
    struct wanted *self = input;
    if (key == 's')
        return settings_add(&self->settings, value);
    if (key == 'd')
        return option_number(value, -100, 100, &self->shift) ? NULL : "a number of standard deviations from -100 to 100";
    return option_number(value, 2, CHART_RUN_LENGTH_MAX, &self->arl0) ? NULL : "a number of values from 2 to 1e12";
}

static double value_or(const struct detect_params *params, const char *name, double fallback)
{
    double value = detect_params_get(params, name);
    return isnan(value) ? fallback : value;
}

static struct chart chart_of(const char *name, const struct detect_params *params)
{
    struct chart chart = {.two_sided = detect_params_get(params, "direction") == (double)DETECT_BOTH};
    if (strcmp(name, "cusum") == 0) {
        chart.kind = CHART_CUSUM;
        chart.slack = detect_params_get(params, "k");
        chart.head_start = value_or(params, "head_start", 0);
        chart.limit = detect_params_get(params, "h");
    } else if (strcmp(name, "ewma") == 0) {
        chart.kind = CHART_EWMA;
        chart.lambda = detect_params_get(params, "lambda");
        chart.limit = detect_params_get(params, "L");
    } else {
        chart.kind = CHART_SHEWHART;
        chart.limit = detect_params_get(params, "L");
    }
    return chart;
}

static void check_name(const char *name)
{
    if (strcmp(name, "cusum") != 0 && strcmp(name, "ewma") != 0 && strcmp(name, "shewhart") != 0)
        say_and_end(EX_USAGE, "%s: a run length can be calculated for cusum, ewma and shewhart", name);
}

static void tell(const struct common *common, const char *member, const char *sentence, double value)
{
    if (common->json)
        printf("{\"%s\": %.10g}\n", member, value);
    else
        printf("%s %.6g\n", sentence, value);
}

int arl_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"set", 's', "KEY=VALUE", 0, "A parameter of the chart, as for `detect`; may be given again", 0},
        {"shift", 'd', "S", 0, "After a shift of S standard deviations (default 0: how often it cries wolf)", 0},
        {"arl0", 'a', "N", 0, "Instead: the threshold that gives one false alarm in N values", 0},
        {0}};
    struct wanted wanted = {.arl0 = NAN};
    struct arguments arguments = {.options = options, .option = option, .input = &wanted, .least = 1, .most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    const char *name = arguments.words[0];
    check_name(name);
    struct detect_params params;
    settings_apply(&wanted.settings, name, &params);
    struct chart chart = chart_of(name, &params);
    /* The other direction of a one-sided chart is its mirror image. */
    double shift = detect_params_get(&params, "direction") == (double)DETECT_DOWN ? -wanted.shift : wanted.shift;
    double found;
    int error = isnan(wanted.arl0) ? chart_run_length(&chart, shift, 1, &found) : chart_limit(&chart, wanted.arl0, &found);
    if (error)
        say_and_end(EX_DATAERR, "%s: %s", name, error == -ERANGE ? "no threshold keeps that promise" : strerror(-error));
    if (isnan(wanted.arl0))
        tell(common, "arl", "mean values to an alarm:", found);
    else
        tell(common, "threshold", strcmp(name, "cusum") == 0 ? "h =" : "L =", found);
    return 0;
}
