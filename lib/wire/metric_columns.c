#include <math.h>
#include <stdlib.h>

#include "lib/wire/metric_decoder.h"

/* Repeating the metrics that are no arrays could make much of little: a batch may always hold so many metrics, and
 * beyond that no more than its payload has bytes, which arrays alone never reach. */
#define METRICS_ALWAYS 65536

void columns_begin(struct metric_columns *self)
{
    self->count = self->metric_count = self->arrays = self->rows = 0;
    self->uneven = false;
    self->cell_count = self->mistake_count = 0;
}

/* Room for one more cell, and for the mistake of row `row`. */
static bool make_room(struct metric_columns *self, uint32_t row)
{
    if (self->cell_count == self->cell_room) {
        union metric_cell *cells = memory_grow(self->cells, &self->cell_room, self->cell_count + 1, sizeof *cells);
        if (cells == NULL) {
            return false;
        }
        self->cells = cells;
    }
    if (row == self->mistake_room) {
        uint8_t *mistakes = memory_grow(self->mistakes, &self->mistake_room, row + (size_t)1, sizeof *mistakes);
        if (mistakes == NULL) {
            return false;
        }
        self->mistakes = mistakes;
    }
    if (row == self->mistake_count) {
        self->mistakes[self->mistake_count++] = FINE;
    }
    return true;
}

static union metric_cell absent(enum member member)
{
    union metric_cell cell = {.count = 0};
    if (member != MEMBER_N) {
        cell.number = (double)NAN;
    }
    return cell;
}

static enum mistake take_cell(struct metric_decoder *self, enum member member, const struct wire_value *value,
                              union metric_cell *cell, uint32_t *ignored)
{
    if (value->kind == WIRE_NULL) {
        return FINE;
    }
    if (member == MEMBER_TIMESTAMP) {
        return rule_time(value, self->latest_s, &cell->number);
    }
    if (member == MEMBER_N) {
        return rule_count(value, &cell->count);
    }
    if (member == MEMBER_METRIC && (value->kind == WIRE_STRING || value->kind == WIRE_BOOLEAN)) {
        (*ignored)++;
        return FINE;
    }
    return rule_number(member, value, &cell->number);
}

/* Reads the cells of an array behind those that are there; returns how many. */
static uint32_t read_cells(struct metric_decoder *self, enum member member, struct text name, struct wire_value *array,
                           uint32_t *ignored)
{
    struct metric_columns *columns = &self->columns;
    uint32_t length = 0;
    struct wire_value value;
    while (reader_element(&self->reader, array)) {
        if (reader_value(&self->reader, &value) == WIRE_NONE) {
            break;
        }
        if (!make_room(columns, length)) {
            reader_no_memory(&self->reader);
            break;
        }
        union metric_cell cell = absent(member);
        enum mistake mistake = take_cell(self, member, &value, &cell, ignored);
        if (mistake != FINE && columns->mistakes[length] == FINE) {
            columns->mistakes[length] = (uint8_t)mistake;
            drop_note(&self->drops, mistake, length + 1, &name, &value);
        }
        reader_skip(&self->reader, &value);
        columns->cells[columns->cell_count++] = cell;
        length++;
    }
    return length;
}

void columns_read(struct metric_decoder *self, enum member member, struct text name, struct wire_value *array,
                  struct event_draft *draft)
{
    struct metric_columns *columns = &self->columns;
    bool metric = member != MEMBER_TIMESTAMP && member != MEMBER_N;
    size_t first = columns->cell_count;
    uint32_t ignored = 0, length = read_cells(self, member, name, array, &ignored);
    if (columns->arrays++ == 0) {
        columns->rows = length;
    }
    columns->uneven = columns->uneven || columns->rows != length;
    self->ignored += ignored;
    if (ignored > 0 && ignored == length) {
        columns->cell_count = first; /* strings only: as if each row had one, under a name that means nothing */
        return;
    }
    if (metric && columns->metric_count + draft->event.metric_count >= METRIC_EVENT_MAX) {
        columns->cell_count = first;
        if (draft->mistake == FINE) {
            draft->mistake = MISTAKE_METRIC_COUNT;
            drop_note(&self->drops, MISTAKE_METRIC_COUNT, draft->place, &name, NULL);
        }
        return;
    }
    columns->at[columns->count++] = (struct metric_column){.member = member, .name = name, .first = first};
    columns->metric_count += metric;
}

/* Fills in what a row's cells hold; what all rows share is in *event already. */
static void fill_row(const struct metric_columns *columns, uint32_t row, struct metric_event *event,
                     struct metric *metrics)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct metric_column *column = &columns->at[i];
        union metric_cell cell = columns->cells[column->first + row];
        if (column->member == MEMBER_TIMESTAMP) {
            event->timestamp_s = cell.number;
        } else if (column->member == MEMBER_N) {
            event->n = cell.count != 0 ? cell.count : 1;
        } else if (!isnan(cell.number)) {
            metrics[event->metric_count++] =
                (struct metric){.name = column->name, .kind = METRIC_NUMBER, .number = cell.number};
        }
    }
}

static void emit_rows(struct metric_decoder *self, struct event_draft *draft)
{
    struct metric_columns *columns = &self->columns;
    const struct metric *shared = draft->metrics;
    uint32_t shared_count = draft->event.metric_count;
    memory_arena_take(&self->metrics, shared_count * sizeof *shared);
    for (uint32_t row = 0; row < columns->rows && self->reader.error == 0; row++) {
        if (columns->mistakes[row] != FINE) {
            drop_count(&self->drops, columns->mistakes[row], 1);
            continue;
        }
        struct metric_event event = draft->event;
        struct metric *metrics =
            memory_arena_room(&self->metrics, (size_t)(shared_count + columns->metric_count) * sizeof *metrics);
        if (metrics == NULL) {
            reader_no_memory(&self->reader);
            return;
        }
        memcpy(metrics, shared, shared_count * sizeof *metrics);
        fill_row(columns, row, &event, metrics);
        event.metrics = metrics;
        memory_arena_take(&self->metrics, event.metric_count * sizeof *metrics);
        event_append(self, &event);
    }
}

static bool shares_bins(const struct event_draft *draft)
{
    for (uint32_t i = 0; i < draft->event.metric_count; i++) {
        if (draft->metrics[i].kind != METRIC_NUMBER) {
            return true;
        }
    }
    return false;
}

/* What is wrong with the batch as a whole. */
static enum mistake misshapen(const struct metric_decoder *self, const struct event_draft *draft)
{
    const struct metric_columns *columns = &self->columns;
    if (columns->uneven) {
        return MISTAKE_COLUMNS_UNEVEN;
    }
    if (columns->count == 0 && draft->mistake != MISTAKE_METRIC_COUNT) {
        return MISTAKE_COLUMNS_NONE;
    }
    if (columns->rows == 0 && draft->event.metric_count > 0) {
        return MISTAKE_COLUMNS_EMPTY;
    }
    if (shares_bins(draft)) {
        return MISTAKE_COLUMNS_BINS;
    }
    size_t bytes = (size_t)(self->reader.end - self->reader.start);
    uint64_t metrics = (uint64_t)columns->rows * (draft->event.metric_count + columns->metric_count);
    return metrics > METRICS_ALWAYS && metrics > bytes ? MISTAKE_COLUMNS_SIZE : FINE;
}

void columns_finish(struct metric_decoder *self, struct event_draft *draft)
{
    enum mistake mistake = misshapen(self, draft);
    if (mistake != FINE) {
        event_drop(self, mistake, draft->place);
    } else if (draft->mistake != FINE) {
        drop_count(&self->drops, draft->mistake, self->columns.rows > 0 ? self->columns.rows : 1);
    } else {
        emit_rows(self, draft);
    }
}

void columns_free(struct metric_columns *self)
{
    free(self->cells);
    free(self->mistakes);
    self->cells = NULL;
    self->mistakes = NULL;
    self->cell_room = self->mistake_room = 0;
}
