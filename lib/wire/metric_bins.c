#include "lib/wire/metric_decoder.h"

/* What went wrong first, and with which value. */
struct fault {
    enum mistake mistake;
    struct wire_value *culprit;
};

static void blame(struct fault *fault, enum mistake mistake, const struct wire_value *value)
{
    if (fault->mistake == FINE && mistake != FINE) {
        fault->mistake = mistake;
        if (value != NULL) {
            *fault->culprit = *value;
        }
    }
}

static enum mistake take_edge(struct metric_decoder *self, const struct wire_value *value, uint32_t index)
{
    if (index > METRIC_BINS_MAX) {
        return MISTAKE_BINS_COUNT;
    }
    enum mistake mistake = rule_finite(value, &self->edges[index]);
    bool rises = mistake != FINE || index == 0 || self->edges[index - 1] < self->edges[index];
    return rises ? mistake : MISTAKE_EDGES;
}

static enum mistake take_count(struct metric_decoder *self, const struct wire_value *value, uint32_t index)
{
    return index < METRIC_BINS_MAX ? rule_integer(value, &self->counts[index]) : MISTAKE_BINS_COUNT;
}

typedef enum mistake take_fn(struct metric_decoder *self, const struct wire_value *value, uint32_t index);

/* Reads the elements of an array into one of the decoder's fixed arrays; returns how many, as far as all was well. */
static uint32_t read_list(struct metric_decoder *self, struct wire_value *array, take_fn *take, struct fault *fault)
{
    uint32_t count = 0;
    struct wire_value value;
    while (reader_element(&self->reader, array)) {
        if (reader_value(&self->reader, &value) == WIRE_NONE) {
            break;
        }
        if (fault->mistake == FINE) {
            blame(fault, take(self, &value, count++), &value);
        }
        reader_skip(&self->reader, &value);
    }
    return count;
}

/* Moves what was read to where it can stay. */
static void keep_histogram(struct metric_decoder *self, uint32_t bins, struct metric *out)
{
    size_t bytes = (bins + (size_t)1) * sizeof(double) + bins * sizeof(uint64_t);
    double *edges = memory_arena_room(&self->bins, bytes);
    if (edges == NULL) {
        reader_no_memory(&self->reader);
        return;
    }
    uint64_t *counts = (uint64_t *)(void *)(edges + bins + 1);
    memcpy(edges, self->edges, (bins + (size_t)1) * sizeof *edges);
    memcpy(counts, self->counts, bins * sizeof *counts);
    memory_arena_take(&self->bins, bytes);
    out->kind = METRIC_HISTOGRAM;
    out->histogram.edges = edges;
    out->histogram.counts = counts;
    out->histogram.bins = bins;
}

static void read_histogram(struct metric_decoder *self, struct wire_value *map, struct metric *out, struct fault *fault)
{
    bool has_edges = false, has_counts = false;
    uint32_t edges = 0, counts = 0;
    struct wire_value value;
    struct text name;
    while (reader_member(&self->reader, map, &name)) {
        if (reader_value(&self->reader, &value) == WIRE_NONE) {
            return;
        }
        if (value.kind == WIRE_ARRAY && name.at != NULL && text_is(name, "edges")) {
            edges = read_list(self, &value, take_edge, fault);
            has_edges = true;
        } else if (value.kind == WIRE_ARRAY && name.at != NULL && text_is(name, "counts")) {
            counts = read_list(self, &value, take_count, fault);
            has_counts = true;
        } else if (value.kind != WIRE_NULL || name.at == NULL) {
            blame(fault, MISTAKE_BINS_KIND, NULL);
            reader_skip(&self->reader, &value);
        }
    }
    if (!has_edges || !has_counts) {
        blame(fault, MISTAKE_BINS_KIND, NULL);
    } else if (counts == 0 || edges != counts + 1) {
        blame(fault, MISTAKE_BINS_FIT, NULL);
    }
    if (fault->mistake == FINE && self->reader.error == 0) {
        keep_histogram(self, counts, out);
    }
}

static void keep_categories(struct metric_decoder *self, uint32_t count, struct metric *out)
{
    size_t bytes = count * sizeof(struct metric_category);
    struct metric_category *at = memory_arena_room(&self->bins, bytes);
    if (at == NULL) {
        reader_no_memory(&self->reader);
        return;
    }
    memcpy(at, self->categories, bytes);
    memory_arena_take(&self->bins, bytes);
    out->kind = METRIC_CATEGORIES;
    out->categories.at = at;
    out->categories.count = count;
}

static enum mistake take_category(struct metric_decoder *self, struct text name, const struct wire_value *value,
                                  uint32_t index)
{
    if (name.at == NULL) {
        return MISTAKE_MEMBER_NAME;
    }
    if (index == METRIC_BINS_MAX) {
        return MISTAKE_BINS_COUNT;
    }
    self->categories[index].name = name;
    return rule_integer(value, &self->categories[index].count);
}

static void read_categories(struct metric_decoder *self, struct wire_value *map, struct metric *out,
                            struct fault *fault)
{
    uint32_t count = 0;
    struct wire_value value;
    struct text name;
    while (reader_member(&self->reader, map, &name)) {
        if (reader_value(&self->reader, &value) == WIRE_NONE) {
            return;
        }
        bool absent = value.kind == WIRE_NULL && name.at != NULL;
        if (!absent && fault->mistake == FINE) {
            blame(fault, take_category(self, name, &value, count++), &value);
        }
        reader_skip(&self->reader, &value);
    }
    if (fault->mistake == FINE && self->reader.error == 0) {
        keep_categories(self, count, out);
    }
}

enum mistake bins_read(struct metric_decoder *self, struct wire_value *map, struct metric *out,
                       struct wire_value *culprit)
{
    struct fault fault = {.mistake = FINE, .culprit = culprit};
    bool taken = false;
    struct wire_value value;
    struct text name;
    while (reader_member(&self->reader, map, &name)) {
        if (reader_value(&self->reader, &value) == WIRE_NONE) {
            break;
        }
        bool named = name.at != NULL;
        if (value.kind == WIRE_NULL && named) {
            continue;
        }
        if (value.kind == WIRE_MAP && !taken && named && text_is(name, "histogram")) {
            read_histogram(self, &value, out, &fault);
        } else if (value.kind == WIRE_MAP && !taken && named && text_is(name, "categories")) {
            read_categories(self, &value, out, &fault);
        } else {
            blame(&fault, MISTAKE_METRIC_KIND, NULL);
            reader_skip(&self->reader, &value);
        }
        taken = true;
    }
    if (!taken) {
        blame(&fault, MISTAKE_METRIC_KIND, NULL);
    }
    return fault.mistake;
}
