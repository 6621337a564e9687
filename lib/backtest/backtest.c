#include "lib/backtest/backtest.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/backtest/inside.h"

int backtest_new(struct backtest **self_p, const struct backtest_options *options)
{
    static const struct siphash_key key = {0}; /* names come from a file that somebody chose to replay */
    *self_p = NULL;
    struct backtest *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->options = *options;
    self->labels_end = &self->labels;
    self->sums.first_s = self->sums.last_s = (double)NAN;
    struct metric_options decoding = {.recorded = true, .max_future_s = 0};
    int error = metric_decoder_new(&self->decoder, &decoding);
    if (error == 0)
        error = map_init(&self->models, &key);
    if (error == 0)
        error = map_init(&self->families, &key);
    if (error)
        backtest_destroy(&self);
    *self_p = self;
    return error;
}

/* -- models ---------------------------------------------------------------------------------------------------------- */

static struct family *family_get(struct backtest *self, const struct model_id *id)
{
    struct text name = model_id_family(id);
    struct map_link *link = map_get(&self->families, name);
    if (link)
        return MAP_THING(link, struct family, link);
    struct family *family = calloc(1, sizeof *family + name.len + 1);
    if (!family)
        return NULL;
    memcpy(family->name, name.at, name.len);
    family->past.ended_ns = INT64_MIN;
    family->guess = NO_GUESS;
    map_put(&self->families, &family->link, text_of(family->name));
    return family;
}

int past_model_get(struct backtest *self, const struct model_id *id, struct past_model **out)
{
    if (self->only && text_equal(self->only->id.whole, id->whole)) {
        *out = self->only;
        return 0;
    }
    struct map_link *link = map_get(&self->models, id->whole);
    if (!link) {
        if (self->models.count >= self->options.config->metrics.max_models)
            return -ENOSPC;
        struct family *family = family_get(self, id);
        struct past_model *model = family ? calloc(1, sizeof *model + id->whole.len + 1) : NULL;
        if (!model)
            return -ENOMEM;
        memcpy(model->text, id->whole.at, id->whole.len);
        model_id_parse(&model->id, text_of(model->text));
        model->family = family;
        model->served_ns = INT64_MIN;
        map_put(&self->models, &model->link, model->id.whole);
        link = &model->link;
    }
    *out = self->only = MAP_THING(link, struct past_model, link);
    return 0;
}

int past_model_restart(struct backtest *self, struct past_model *model)
{
    const struct monitor_settings *settings = NULL;
    int error = config_settings_for(self->options.config, &model->id, &settings);
    monitor_destroy(&model->monitor);
    return error ? error : monitor_new(&model->monitor, settings ? settings : config_settings_default());
}

/* -- events ---------------------------------------------------------------------------------------------------------- */

static void drop(struct backtest *self, enum metric_drop reason, uint32_t count, const char *detail,
                 struct backtest_line *out)
{
    self->sums.dropped[reason] += count;
    out->dropped += count;
    out->reason = reason;
    out->detail = detail;
}

void backtest_drop(struct backtest *self, enum metric_drop reason)
{
    self->sums.dropped[reason]++;
}

/* Where an event stands among those of its model, as the daemon counted them. */
static int look_at_place(struct backtest *self, struct past_model *model, uint64_t place)
{
    int error = 0;
    if (place == 1 && monitor_events(model->monitor)) {
        self->sums.restarted++;
        error = past_model_restart(self, model);
    } else if (model->place == 0) {
        self->sums.late += place > 1;
    } else if (place > model->place + 1) {
        self->sums.missing += place - model->place - 1;
    } else {
        self->sums.rewound += place <= model->place;
    }
    model->place = place;
    return error;
}

static void note_time(struct backtest *self, double at_s)
{
    struct backtest_sums *sums = &self->sums;
    self->last_s = at_s;
    sums->first_s = fmin(isnan(sums->first_s) ? at_s : sums->first_s, at_s);
    sums->last_s = fmax(isnan(sums->last_s) ? at_s : sums->last_s, at_s);
}

/* Brings the model's clock to the event. -ERANGE: that cannot be. One without a time is of the moment of the one before it; of
 * a model whose first it is, of the last of any; and where there was none, the clock is yet to begin. */
static int tell_time(struct backtest *self, struct past_model *model, double at_s, const struct recorded_at *taken)
{
    bool back;
    int error = past_model_clock(model, at_s, taken, &back);
    if (error == -ENODATA) {
        self->sums.timeless++;
        if (!model->begun && isnan(self->sums.last_s))
            return 0;
        return past_model_clock(model, model->begun ? model->now_s : self->last_s, NULL, &back);
    }
    if (error)
        return error;
    self->sums.back += back;
    note_time(self, at_s);
    return 0;
}

static int take_event(struct backtest *self, const struct metric_message *message, const struct metric_event *event,
                      struct backtest_line *out)
{
    struct past_model *model;
    struct recorded_at taken;
    struct verdict verdict;
    const bool received = !isnan(message->received_s), placed = recorded_taken(message->taken, &taken);
    const double at_s = received ? message->received_s : event->timestamp_s;
    const double max_future_s = (double)self->options.config->metrics.max_future_ns / 1e9;
    if (received && event->timestamp_s > message->received_s + max_future_s) {
        drop(self, DROP_FUTURE, 1, "timestamp lies too far behind received_at", out);
        return 0;
    }
    int error = past_model_get(self, event->model, &model);
    if (error == -ENOSPC) {
        drop(self, DROP_TOO_MANY_MODELS, 1, "metrics.max_models are known already", out);
        return 0;
    }
    if (error == 0 && tell_time(self, model, at_s, received && placed ? &taken : NULL) != 0) {
        drop(self, DROP_RANGE, 1, "its time lies beyond the years 1678 to 2261", out);
        return 0;
    }
    if (error == 0 && !model->monitor)
        error = past_model_restart(self, model);
    if (error == 0 && placed)
        error = look_at_place(self, model, taken.place);
    if (error == 0)
        error = monitor_add(model->monitor, event, model->now_ns, model->now_s, &verdict);
    if (error)
        return error;
    self->sums.events++;
    out->events++;
    labels_event(model);
    return fate_event(self, model, &verdict);
}

static int take_message(struct backtest *self, const struct metric_message *message, struct backtest_line *out)
{
    for (int i = 0; i < DROP_REASONS; i++)
        if (message->dropped[i])
            drop(self, (enum metric_drop)i, message->dropped[i], message->detail[i], out);
    int error = 0;
    for (uint32_t i = 0; i < message->event_count && error == 0; i++)
        error = take_event(self, message, &message->events[i], out);
    return error;
}

static bool take_other(struct backtest *self, struct text text, int *error_p)
{
    struct recorded_line line;
    if (recorded_read(text, &line) == RECORDED_EVENT)
        return false;
    *error_p = told_line(self, &line);
    return true;
}

static uint32_t dropped(const struct metric_message *message)
{
    uint32_t count = 0;
    for (int i = 0; i < DROP_REASONS; i++)
        count += message->dropped[i];
    return count;
}

int backtest_take(struct backtest *self, struct text line, struct backtest_line *out)
{
    const struct metric_message *message;
    int error = 0;
    *out = (struct backtest_line){.detail = NULL};
    if (recorded_may_be_other(line) && take_other(self, line, &error))
        return error;
    error = metric_decode(self->decoder, self->options.model, line, INFINITY, &message);
    if (error)
        return error;
    /* Another program may have written the members of a line in another order. */
    if (message->event_count == 0 && dropped(message) && take_other(self, line, &error))
        return error;
    return take_message(self, message, out);
}

/* -- the end --------------------------------------------------------------------------------------------------------- */

void backtest_sums(const struct backtest *self, struct backtest_sums *out)
{
    *out = self->sums;
    for (size_t i = 0; i <= self->models.mask; i++) {
        for (const struct map_link *link = self->models.slots[i]; link; link = link->next) {
            const struct past_model *model = MAP_THING(link, struct past_model, link);
            out->models += model->begun || (model->monitor && monitor_events(model->monitor) > 0);
            if (model->begun && model->now_s > model->first_s)
                out->watched_s += model->now_s - model->first_s;
        }
    }
    labels_sums(self, out);
}

static void free_model(void *argument, struct map_link *link)
{
    struct past_model *model = MAP_THING(link, struct past_model, link);
    (void)argument;
    monitor_destroy(&model->monitor);
    free(model->known);
    free(model);
}

static void free_family(void *argument, struct map_link *link)
{
    (void)argument;
    free(MAP_THING(link, struct family, link));
}

void backtest_destroy(struct backtest **self_p)
{
    struct backtest *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->models.slots)
        map_drain(&self->models, free_model, NULL);
    if (self->families.slots)
        map_drain(&self->families, free_family, NULL);
    map_free(&self->models);
    map_free(&self->families);
    metric_decoder_destroy(&self->decoder);
    labels_free(self);
    free(self);
}
