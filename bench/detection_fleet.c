/* A fleet of a thousand healthy models for a month: is nobody asked more often than promised? bench/fleet.h says what
 * it is made of. Prints for each budget the requests, what was promised, and the bound of three deviations.
 *
 * detection_fleet [MODELS [DAYS [WHICH]]]: WHICH of the budgets, from 1 on */
#include <time.h>

#include "bench/fleet.h"

struct month {
    const char *name, *head, *alarms, *rate;
    double per_model_days; /* days for each false alarm of a model; 0: `fleet_days` */
    double fleet_days;
};

static void run(const struct month *month, uint64_t models, uint64_t days)
{
    uint64_t requests = 0, by_rule[FLEET_METRICS] = {0};
    char head[128];
    snprintf(head, sizeof(head), "metrics: {max_models: %llu}\n%s", (unsigned long long)models, month->head);
    struct config *config = fleet_configuration(head, month->alarms, month->rate);
    const struct monitor_settings *settings = NULL;
    struct model_id id;
    if (model_id_parse(&id, text_of("fleet/model/v1")) != 0 || config_settings_for(config, &id, &settings) != 0)
        exit(1);
    const clock_t began = clock();
    for (uint64_t model = 0; model < models; model++)
        requests += fleet_requests(settings, model, days * 24 * 60, by_rule);
    double budget = month->fleet_days > 0 ? (double)days / month->fleet_days
                                          : (double)models * (double)days / month->per_model_days;
    printf("%-52s requests %5llu, budget %6.1f, at most %6.1f: %s (%.0f CPU-seconds)\n", month->name,
           (unsigned long long)requests, budget, budget + 3 * sqrt(budget),
           (double)requests <= budget + 3 * sqrt(budget) ? "kept" : "BROKEN", (double)(clock() - began) / CLOCKS_PER_SEC);
    printf("   ");
    for (int i = 0; i < FLEET_METRICS; i++)
        printf(" %s %llu", fleet_rules[i].metric, (unsigned long long)by_rule[i]);
    putchar('\n');
    fflush(stdout);
    config_destroy(&config);
}

int main(int argc, char **argv)
{
    static const struct month months[] = {
        {"1 per 30d a model, the rate given", "", "1 per 30d", "1/m", 30, 0},
        {"1 per 30d a model, the rate measured", "", "1 per 30d", "auto", 30, 0},
        {"fleet_false_alarms: 1 per 1d, the rate given", "fleet_false_alarms: 1 per 1d\n", "1 per 30d", "1/m", 0, 1},
    };
    uint64_t models = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000, days = argc > 2 ? strtoull(argv[2], NULL, 10) : 30;
    printf("%llu healthy models, ten metrics each, one event a minute, %llu days:\n", (unsigned long long)models,
           (unsigned long long)days);
    const size_t which = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    for (size_t i = 0; i < sizeof(months) / sizeof(months[0]); i++)
        if (which == 0 || which == i + 1)
            run(&months[i], models, days);
    return 0;
}
