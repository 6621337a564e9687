/* True changes, and how soon each was found. */
#include <errno.h>
#include <stdlib.h>

#include "lib/backtest/inside.h"

int backtest_label(struct backtest *self, const struct model_id *id, double from_s, double to_s)
{
    struct past_model *model;
    int error = past_model_get(self, id, &model);
    struct label *label = error ? NULL : calloc(1, sizeof *label);
    if (!label)
        return error ? error : -ENOMEM;
    label->from_s = from_s;
    label->to_s = to_s;
    *self->labels_end = label;
    self->labels_end = &label->next;
    label->next_of_model = model->labels;
    model->labels = label;
    return 0;
}

static bool inside(const struct label *label, double at_s)
{
    return at_s >= label->from_s && at_s <= label->to_s;
}

void labels_event(struct past_model *model)
{
    for (struct label *label = model->labels; label; label = label->next_of_model)
        label->events += inside(label, model->now_s);
}

bool labels_trigger(struct past_model *model)
{
    bool hit = false;
    for (struct label *label = model->labels; label; label = label->next_of_model) {
        if (!inside(label, model->now_s))
            continue;
        hit = true;
        if (label->delay == 0)
            label->delay = label->events;
    }
    return hit;
}

void labels_sums(const struct backtest *self, struct backtest_sums *out)
{
    for (const struct label *label = self->labels; label; label = label->next) {
        out->labels++;
        out->found += label->delay > 0;
        out->blind += label->events == 0;
        out->missed += label->delay == 0;
    }
}

uint64_t backtest_delay(const struct backtest *self, uint64_t index)
{
    for (const struct label *label = self->labels; label; label = label->next)
        if (label->delay > 0 && index-- == 0)
            return label->delay;
    return 0;
}

void labels_free(struct backtest *self)
{
    while (self->labels) {
        struct label *label = self->labels;
        self->labels = label->next;
        free(label);
    }
}
