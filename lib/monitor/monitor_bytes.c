/* How much memory a monitor has, counted by its shape, so that it can be asked for before it is taken and given back to
 * the byte. What grows by itself, as a reference that is collected, counts as large as it can become. */
#include <math.h>

#include "lib/detect/cells.h"
#include "lib/detect/reference.h"
#include "lib/monitor/monitor_inside.h"

#define BLOCK 32      /* bytes that the allocator adds to a piece, and rounds it up by */
#define ON_LINES 4    /* pieces of lines_new(): itself with its rules, what waits, rows, ring */
#define ADWIN_ROWS 24 /* of buckets, each of two numbers */
#define BUCKET_BYTES (2 * sizeof(double))

static uint64_t number_of(const struct detect_params *params, const char *name)
{
    const double value = detect_params_get(params, name);
    return isnan(value) || value < 0 ? 0 : (uint64_t)value;
}

static bool takes_counts(const struct detect_params *params)
{
    return params->type->add_histogram || params->type->add_categories;
}

/* What a detector takes besides its state as it goes on: a chart collects a reference, ADWIN far buckets. */
static uint64_t growth_bytes(const struct detect_params *params)
{
    if (takes_counts(params)) /* its reference is part of its state */
        return 0;
    return reference_buffer_bytes(number_of(params, "reference")) +
           ADWIN_ROWS * number_of(params, "max_buckets") * BUCKET_BYTES;
}

static const struct detect_params *params_of(const struct drift_rule *rule)
{
    return rule->step_count ? &rule->steps[rule->step_count - 1] : &rule->params;
}

uint64_t drift_rule_bytes(const struct drift_rule *rule)
{
    const struct detect_params *params = params_of(rule);
    return sizeof(struct rule_state) + detect_room(params) + sizeof(struct rule_times) +
           MOMENTS_LEVELS * sizeof(moments_level) + growth_bytes(params) + sizeof(struct rule_state *) +
           sizeof(struct batch_link) + LINES_BYTES + 7 * BLOCK;
}

uint64_t rule_cells_bytes(const struct drift_rule *rule, const struct detect *detect)
{
    const struct detect_params *params = params_of(rule);
    if (!takes_counts(params) || detect_bytes(detect) > detect_room(params))
        return 0;
    return sizeof(struct cells) + number_of(params, "reference") * sizeof(float[CELLS_MAX]);
}

/* What the cells of a rule take that has them. */
static uint64_t cells_taken(const struct drift_rule *rule, const struct detect *detect)
{
    const struct detect_params *params = params_of(rule);
    return takes_counts(params) ? detect_bytes(detect) - detect_room(params) : 0;
}

static bool is_ordered(const struct metric_keep *keep)
{
    return keep->use.ranks > 1 || (keep->use.ranks == 1 && keep->values > WINDOW_ORDER_ABOVE);
}

uint64_t monitor_row_bytes(const struct metric_keep *keep)
{
    const uint64_t ring = (uint64_t)keep->values * sizeof(float);
    uint64_t bytes = sizeof(struct metric_slot) + sizeof(struct metric_row) + METRIC_NAME_MAX + 1 + BLOCK +
                     ring * (1 + keep->timed) + BATCH_METRIC_BYTES;
    if (keep->use.sum || keep->use.ranks)
        bytes += sizeof(struct window_more) + sizeof(struct exact_sum) + 2 * BLOCK;
    if (is_ordered(keep))
        bytes += ring + BLOCK;
    return bytes;
}

uint64_t monitor_weight_bytes(const struct metric_keep *keep)
{
    return (uint64_t)keep->values * sizeof(float) * (is_ordered(keep) ? 2 : 1) + sizeof(struct window_more) + 2 * BLOCK;
}

uint64_t monitor_metric_most_bytes(uint32_t window, bool judged)
{
    const struct metric_keep keep = {
        .values = window, .use = {.sum = judged, .ranks = judged ? 2 : 0}, .timed = judged};
    return monitor_row_bytes(&keep) + monitor_weight_bytes(&keep);
}

uint64_t monitor_least_bytes(const struct monitor_settings *settings)
{
    uint64_t bytes = sizeof(struct monitor) + settings->kpi_count * sizeof(struct kpi_state) + sizeof(struct trigger) +
                     BATCH_LEAST_BYTES + ON_LINES * LINES_BYTES + 6 * BLOCK;
    for (uint32_t i = 0; i < settings->rule_count; i++)
        bytes += drift_rule_bytes(&settings->rules[i]);
    return bytes;
}

uint64_t monitor_bytes(const struct monitor *self)
{
    const struct monitor_settings *settings = self->settings;
    uint64_t bytes = monitor_least_bytes(settings) + self->rules.room_count * sizeof *self->rules.room;
    for (uint32_t row = 0; row < self->metrics.count; row++) {
        const struct metric_keep keep = monitor_keep_of(settings, text_of(metric_table_name(&self->metrics, row)));
        bytes += monitor_row_bytes(&keep);
        if (window_weighted(metric_table_window(&self->metrics, row)))
            bytes += monitor_weight_bytes(&keep);
    }
    for (uint32_t i = 0; i < self->rules.count; i++)
        bytes += cells_taken(&settings->rules[i], rule_state_detect(self->rules.states[i]));
    return bytes;
}

void monitor_allow(struct monitor *self, const struct allowance *allowance)
{
    self->allowance = allowance;
}
