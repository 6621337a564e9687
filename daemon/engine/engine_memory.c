/* How much memory the configuration allows at most: told at the start, and kept.
 *
 * What a model takes is counted before it is taken (daemon/base/ceiling.h), by its shape (monitor_bytes()), and so are
 * the metrics that it gets later: models may take what max_models of the usual shape would. Once a second the whole
 * process is measured as well: while it stands at the ceiling, or near a lower limit of its control group, nothing new
 * is made either.
 *
 * The measure is the resident set, a read of one line. Where that stands at the ceiling the allocator is asked how much
 * of it is free again, which does not leave the resident set by itself: it walks all free pieces, a tenth of a second
 * where half of 100,000 models have gone, with its heap locked, and so is not asked often. What waits in libzmq's
 * queues is in it: memory that peers fill is memory that models cannot have. */
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/base/memory_limit.h"
#include "daemon/engine/inside.h"
#include "daemon/workers/ledger.h"
#include "lib/config/budgets.h"
#include "lib/pages.h"

#define METRICS_USUAL 5                    /* of an event, or as many as are judged */
#define PROGRAM_BYTES (INT64_C(32) << 20)  /* program, libraries, stacks: what the allocator does not know of */
#define STATIONS_BYTES (INT64_C(32) << 20) /* buffers of sockets, HTTP, answers, what observers have not fetched */
#define STORE_BYTES (INT64_C(64) << 20)    /* pages of SQLite */
#define REQUEST_BYTES 5120                 /* a live one, with its trigger and metrics; one for each model at most */
#define NODE_BYTES 256                     /* its name and counts, in each shard */
#define LOOK_EVERY_NS CLOCK_S_NS
#define PAUSE_TIMES 200           /* as long as the allocator took to answer, before it is asked again */
#define CALM_NS (60 * CLOCK_S_NS) /* without a refusal, before it is told that there is room again */

/* The most that a model can have of two blocks: one for all models and one of its own. */
struct widest {
    uint32_t window, kpis;
    uint64_t rules_bytes;
};

static uint64_t evidence_bytes(void)
{
    struct drift_rule rule = {.detector = "evidence"};
    return detect_params_init(&rule.params, rule.detector, NULL) == 0 ? drift_rule_bytes(&rule) : 0;
}

static uint64_t rules_of(const struct budget_block *block)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < block->drift.count; i++)
        bytes += drift_rule_bytes(&block->drift.rules[i]);
    for (uint32_t k = 0; k < block->kpi_count; k++)
        if (block->kpis[k].budget.test == KPI_EVIDENCE)
            bytes += 2 * evidence_bytes(); /* one for each limit */
    return bytes;
}

static struct widest widest_of(const struct config *config)
{
    struct widest own = {.window = config_settings_default()->window}, all = {.window = 0};
    const struct config_budgets *budgets = config->budgets;
    for (uint32_t i = 0; budgets && i < budgets->block_count; i++) {
        const struct budget_block *block = &budgets->blocks[i];
        struct widest *out = strcmp(block->models, "*") == 0 ? &all : &own;
        const uint64_t rules_bytes = rules_of(block);
        own.window = block->settings.window > own.window ? block->settings.window : own.window;
        out->kpis = block->kpi_count > out->kpis ? block->kpi_count : out->kpis;
        out->rules_bytes = rules_bytes > out->rules_bytes ? rules_bytes : out->rules_bytes;
    }
    return (struct widest){
        .window = own.window, .kpis = own.kpis + all.kpis, .rules_bytes = own.rules_bytes + all.rules_bytes};
}

static int64_t model_bytes(const struct widest *widest, uint32_t metrics)
{
    const struct monitor_settings settings = {.window = widest->window, .kpi_count = widest->kpis};
    const uint32_t judged = widest->kpis < metrics ? widest->kpis : metrics;
    return (int64_t)(shard_model_bytes(&settings) + monitor_least_bytes(&settings) + widest->rules_bytes +
                     judged * monitor_metric_most_bytes(widest->window, true) +
                     (metrics - judged) * monitor_metric_most_bytes(widest->window, false));
}

static void work_out(struct engine *self)
{
    struct memory *memory = &self->memory;
    const struct config *config = self->config;
    const struct widest widest = widest_of(config);
    const uint32_t judged = widest.kpis < MONITOR_METRICS_MAX ? widest.kpis : MONITOR_METRICS_MAX;
    const uint32_t threads = engine_worker_threads(config), shards = threads ? threads : 1;
    const int64_t group = memory_limit_of_groups("/proc/self/cgroup", "/sys/fs/cgroup");
    memory->machine = memory_limit_of_machine();
    memory->limit = group < memory->machine ? group : memory->machine;
    memory->model = model_bytes(&widest, judged > METRICS_USUAL ? judged : METRICS_USUAL);
    memory->model_most = model_bytes(&widest, MONITOR_METRICS_MAX);
    const double models = (double)memory->model * config->metrics.max_models,
                 requests = (double)REQUEST_BYTES * config->metrics.max_models;
    const double fixed =
        (double)(PROGRAM_BYTES + STATIONS_BYTES + STORE_BYTES) + (double)shards * LEDGER_NODES_MAX * NODE_BYTES;
    memory->all = models + requests + fixed;
    memory->kept = (double)memory->limit - (double)memory->limit / 8; /* the rest is for what is not in the measure */
    double most = (memory->kept - fixed) * models / (models + requests);
    if (memory->all <= memory->kept) {
        memory->kept = memory->all;
        most = models;
    } else if (most < memory->kept / 8) {
        most = memory->kept / 8;
    }
    memory->most = (int64_t)most;
    atomic_store(&memory->told_kept, (int64_t)memory->kept);
}

/* A connection that is read without libzmq holds no more than the message that is not complete yet. */
static double messages_of_a_connection(const struct engine *self)
{
    const struct config *config = self->config;
    bool plain = !self->keys.on && config->metrics.connect.count == 0;
    for (uint32_t i = 0; i < config->metrics.bind.count && plain; i++)
        plain = endpoint_is_plain(config->metrics.bind.at[i]);
    return plain ? 1 : config->metrics.queue;
}

static void say(const struct engine *self)
{
    const struct memory *memory = &self->memory;
    const struct config *config = self->config;
    const double waiting = (double)workers_threads(self->workers) * WORKERS_RING_SLOTS *
                           (double)config->metrics.max_message_bytes * INGEST_FRAME_FACTOR;
    const double connection =
        messages_of_a_connection(self) * (double)config->metrics.max_message_bytes * INGEST_FRAME_FACTOR;
    log_info("the memory that the configuration allows; models beyond metrics.max_models are refused and counted",
             LOG_NUMBER("ceiling_mb", memory->all / 1e6), LOG_NUMBER("kept_mb", memory->kept / 1e6),
             LOG_NUMBER("models_mb", (double)memory->most / 1e6), LOG_NUMBER("model_kb", (double)memory->model / 1e3),
             LOG_NUMBER("model_of_64_metrics_kb", (double)memory->model_most / 1e3),
             LOG_NUMBER("max_models", config->metrics.max_models),
             LOG_NUMBER("requests_mb", (double)REQUEST_BYTES * config->metrics.max_models / 1e6),
             LOG_NUMBER("store_mb", STORE_BYTES / 1e6), LOG_NUMBER("queue_of_a_connection_mb", connection / 1e6),
             LOG_NUMBER("queue_of_workers_mb", waiting / 1e6));
    if (memory->all > (double)memory->machine)
        log_warning("metrics.max_models of such models would not fit into this machine's memory",
                    LOG_NUMBER("ceiling_mb", memory->all / 1e6), LOG_NUMBER("kept_mb", memory->kept / 1e6),
                    LOG_NUMBER("machine_mb", (double)memory->machine / 1e6));
    else if (memory->all > memory->kept)
        log_warning("metrics.max_models of such models would not fit into the memory that this process may have; fewer "
                    "are made: give it more (MemoryMax, MemoryHigh), or lower metrics.max_models",
                    LOG_NUMBER("ceiling_mb", memory->all / 1e6), LOG_NUMBER("kept_mb", memory->kept / 1e6),
                    LOG_NUMBER("limit_mb", (double)memory->limit / 1e6));
}

void engine_memory_begin(struct engine *self)
{
    work_out(self);
    ceiling_init(&self->memory.ceiling, self->memory.most);
    atomic_init(&self->memory.in_use, 0);
}

void engine_memory_say(const struct engine *self)
{
    say(self);
}

void engine_memory_renew(struct engine *self)
{
    const double all = self->memory.all, kept = self->memory.kept;
    work_out(self);
    ceiling_set(&self->memory.ceiling, self->memory.most);
    if (self->memory.all < all || self->memory.all > all || self->memory.kept < kept || self->memory.kept > kept)
        say(self);
}

static void tell(struct engine *self, uint64_t refused, int64_t now_ns)
{
    struct memory *memory = &self->memory;
    const struct ceiling *ceiling = &memory->ceiling;
    const double models = (double)ceiling_used(ceiling) / 1e6, in_use = (double)atomic_load(&memory->in_use) / 1e6;
    if (refused > memory->refused) {
        memory->refused = refused;
        memory->refused_ns = now_ns;
        if (memory->full)
            return;
        memory->full = true;
        log_warning(
            "memory is at its ceiling: no more models and metrics are made, those that are known go on; raise "
            "metrics.max_models, which it is counted by, or MemoryMax where that is lower; or shorten windows, or "
            "state.keep",
            LOG_NUMBER("kept_mb", memory->kept / 1e6), LOG_NUMBER("in_use_mb", in_use), LOG_NUMBER("models_mb", models),
            LOG_NUMBER("models_most_mb", (double)ceiling_most(ceiling) / 1e6),
            LOG_NUMBER("models", workers_models(self->workers)));
    } else if (memory->full && !ceiling_closed(ceiling) && now_ns - memory->refused_ns >= CALM_NS) {
        memory->full = false;
        log_info("memory is below its ceiling: models and metrics are made again",
                 LOG_NUMBER("refused", (double)refused), LOG_NUMBER("in_use_mb", in_use),
                 LOG_NUMBER("models_mb", models));
    }
}

/* What it has given out, and somebody has. */
static int64_t allocator_bytes(struct memory *memory, int64_t now_ns)
{
    const int64_t began_ns = clock_now().steady_ns;
    const struct mallinfo2 info = mallinfo2();
    memory->ask_ns = now_ns + (clock_now().steady_ns - began_ns) * PAUSE_TIMES;
    return (int64_t)(info.uordblks + info.hblkhd - pages_idle_bytes());
}

void engine_memory_look(struct engine *self, int64_t now_ns)
{
    struct memory *memory = &self->memory;
    if (now_ns - memory->looked_ns < LOOK_EVERY_NS)
        return;
    memory->looked_ns = now_ns;
    const int64_t resident = memory_resident();
    if ((double)resident < memory->kept) {
        atomic_store(&memory->in_use, resident);
        ceiling_close(&memory->ceiling, false);
    } else if (now_ns >= memory->ask_ns) {
        const int64_t taken = allocator_bytes(memory, now_ns) + PROGRAM_BYTES;
        atomic_store(&memory->in_use, taken < resident ? taken : resident);
        ceiling_close(&memory->ceiling, (double)taken >= memory->kept);
    }
    tell(self, ceiling_refused(&memory->ceiling), now_ns);
}

/* They are no station: nobody misses them, and the watchdog does not ask for them. */
void engine_memory_enlarge(struct engine *self)
{
    const int rc = large_pages_start(&self->large_pages);
    if (rc < 0)
        log_info("memory stays in small pages; nothing but speed is lost",
                 LOG_TEXT("why", rc == -ENOTSUP ? "the kernel has no large pages to ask for (Linux 6.1, "
                                                  "transparent_hugepage not set to never)"
                                                : strerror(-rc)));
}

static json_t *large_pages_facts(const struct engine *self)
{
    struct large_pages_figures figures = {.bytes = 0};
    if (self->large_pages)
        large_pages_figures(self->large_pages, &figures);
    return json_pack("{s:I, s:I, s:f}", "bytes", (json_int_t)figures.bytes, "failed", (json_int_t)figures.failed,
                     "slowest_ms", (double)figures.slowest_ns / 1e6);
}

json_t *engine_memory_facts(struct engine *self)
{
    const struct memory *memory = &self->memory;
    const struct ceiling *ceiling = &memory->ceiling;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "ceiling", (json_int_t)atomic_load(&memory->told_kept),
                     "in_use", (json_int_t)atomic_load(&memory->in_use), "models_most",
                     (json_int_t)ceiling_most(ceiling), "models", (json_int_t)ceiling_used(ceiling), "refused",
                     (json_int_t)ceiling_refused(ceiling), "full", (int)atomic_load(&memory->full), "large_pages",
                     large_pages_facts(self));
}
