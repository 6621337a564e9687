/* How much memory the configuration allows at most: told at the start, so that whoever sets limits knows what they come
 * to.
 *
 * What bounds it is max_models, times what a model may take; further models are refused and counted. The figures a
 * model are upper ends of what was measured (docs/operating.md): a test compares them with the resident set. */
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/engine/inside.h"
#include "lib/config/budgets.h"

#define MODEL_BYTES 2048 /* identity, place in the index, its streams in the ledger, the monitor itself */
#define METRIC_BYTES 512 /* name, sums, what is shown of it */
#define VALUE_BYTES 4
#define WEIGHT_BYTES 4                  /* where events stand for many predictions */
#define JUDGED_BYTES 8                  /* a value's age and order, where a KPI or rule looks at it */
#define RULE_BYTES 8192                 /* detector, reference and moments */
#define METRICS_USUAL 5                 /* of an event, or as many as are judged */
#define BASE_BYTES (INT64_C(64) << 20)  /* program, libraries, threads, buffers */
#define STORE_BYTES (INT64_C(64) << 20) /* pages of SQLite */

/* The most that a model can have of two blocks: one for all models and one of its own. */
struct widest {
    uint32_t window, kpis, rules;
};

static uint32_t rules_of(const struct budget_block *block)
{
    uint32_t count = block->drift.count;
    for (uint32_t k = 0; k < block->kpi_count; k++)
        count += block->kpis[k].budget.test == KPI_EVIDENCE;
    return count;
}

static struct widest widest_of(const struct config *config)
{
    struct widest own = {.window = config_settings_default()->window}, all = {.window = 0};
    const struct config_budgets *budgets = config->budgets;
    for (uint32_t i = 0; budgets && i < budgets->block_count; i++) {
        const struct budget_block *block = &budgets->blocks[i];
        struct widest *out = strcmp(block->models, "*") == 0 ? &all : &own;
        uint32_t rules = rules_of(block);
        own.window = block->settings.window > own.window ? block->settings.window : own.window;
        out->kpis = block->kpi_count > out->kpis ? block->kpi_count : out->kpis;
        out->rules = rules > out->rules ? rules : out->rules;
    }
    return (struct widest){.window = own.window, .kpis = own.kpis + all.kpis, .rules = own.rules + all.rules};
}

static double model_bytes(const struct widest *widest, uint32_t metrics)
{
    uint32_t judged = widest->kpis + widest->rules < metrics ? widest->kpis + widest->rules : metrics;
    return MODEL_BYTES + (double)metrics * (METRIC_BYTES + (double)widest->window * (VALUE_BYTES + WEIGHT_BYTES)) +
           (double)judged * widest->window * JUDGED_BYTES + (double)widest->rules * RULE_BYTES;
}

void engine_say_memory(const struct engine *self)
{
    const struct config *config = self->config;
    struct widest widest = widest_of(config);
    uint32_t judged =
        widest.kpis + widest.rules < MONITOR_METRICS_MAX ? widest.kpis + widest.rules : MONITOR_METRICS_MAX;
    uint32_t usual = judged > METRICS_USUAL ? judged : METRICS_USUAL;
    double model = model_bytes(&widest, usual), most = model_bytes(&widest, MONITOR_METRICS_MAX);
    double all = BASE_BYTES + STORE_BYTES + model * config->metrics.max_models;
    double connection = (double)config->metrics.queue * (double)config->metrics.max_message_bytes * INGEST_FRAME_FACTOR;
    double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE);
    log_info("the memory that the configuration allows; models beyond metrics.max_models are refused and counted",
             LOG_NUMBER("ceiling_mb", all / 1e6), LOG_NUMBER("model_kb", model / 1e3),
             LOG_NUMBER("model_of_64_metrics_kb", most / 1e3), LOG_NUMBER("max_models", config->metrics.max_models),
             LOG_NUMBER("store_mb", STORE_BYTES / 1e6), LOG_NUMBER("queue_of_a_connection_mb", connection / 1e6));
    if (all > machine)
        log_warning("metrics.max_models of such models would not fit into this machine's memory",
                    LOG_NUMBER("ceiling_mb", all / 1e6), LOG_NUMBER("machine_mb", machine / 1e6));
}
