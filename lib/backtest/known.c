/* The latest triggers and recorded requests of a model, and which of them belong together. */
#include <math.h>
#include <stdlib.h>

#include "lib/backtest/inside.h"

#define SAME_NS UINT64_C(1000000000)
#define SAME_PART 1e-6 /* figures are recorded in single precision */

static struct past_known *known_of(struct past_model *model)
{
    if (!model->known)
        model->known = calloc(1, sizeof *model->known);
    return model->known;
}

struct past_trigger *known_add_trigger(struct past_model *model)
{
    struct past_known *known = known_of(model);
    return known ? &known->triggers[known->trigger_count++ % TRIGGERS_KNOWN] : NULL;
}

struct past_request *known_add_request(struct past_model *model)
{
    struct past_known *known = known_of(model);
    return known ? &known->requests[known->request_count++ % REQUESTS_KNOWN] : NULL;
}

static uint32_t triggers_of(const struct past_model *model)
{
    uint32_t count = model->known ? model->known->trigger_count : 0;
    return count < TRIGGERS_KNOWN ? count : TRIGGERS_KNOWN;
}

static uint32_t requests_of(const struct past_model *model)
{
    uint32_t count = model->known ? model->known->request_count : 0;
    return count < REQUESTS_KNOWN ? count : REQUESTS_KNOWN;
}

struct past_trigger *known_numbered(const struct past_model *model, uint64_t number)
{
    for (uint32_t i = 0; i < triggers_of(model); i++)
        if (model->known->triggers[i].number == number)
            return &model->known->triggers[i];
    return NULL;
}

struct past_request *known_request(const struct past_model *model, const char *id)
{
    for (uint32_t i = 0; i < requests_of(model); i++)
        if (strcmp(model->known->requests[i].id, id) == 0)
            return &model->known->requests[i];
    return NULL;
}

struct past_request *known_made_by(const struct past_model *model, uint64_t trigger)
{
    for (uint32_t i = 0; i < requests_of(model); i++)
        if (model->known->requests[i].maker == trigger)
            return &model->known->requests[i];
    return NULL;
}

struct past_trigger *known_dated(const struct past_model *model, int64_t at_ns)
{
    struct past_trigger *best = NULL;
    for (uint32_t i = 0; i < triggers_of(model); i++) {
        struct past_trigger *trigger = &model->known->triggers[i];
        const uint64_t later_ns = (uint64_t)trigger->at_ns - (uint64_t)at_ns; /* never may be a very long time ago */
        if (trigger->at_ns >= at_ns && later_ns < SAME_NS && (!best || trigger->at_ns < best->at_ns))
            best = trigger;
    }
    return best;
}

static bool same(double a, double b)
{
    return isnan(a) || isnan(b) || fabs(a - b) <= SAME_PART * fabs(a);
}

/* A request is told of when it is safe on the disk: soon after its trigger. */
static bool belong_together(const struct past_trigger *trigger, const struct past_request *request)
{
    double later_s = request->at_s - trigger->at_s;
    return later_s >= 0 && later_s < ASSUMED_NS / 1e9 && same(trigger->observed, request->observed) &&
           same(trigger->limit, request->limit);
}

struct past_request *known_request_of(const struct past_model *model, const struct past_trigger *trigger)
{
    for (uint32_t i = 0; i < requests_of(model); i++) {
        struct past_request *request = &model->known->requests[i];
        if (request->maker == MAKER_NOT_KNOWN && belong_together(trigger, request))
            return request;
    }
    return NULL;
}

struct past_trigger *known_trigger_of(const struct past_model *model, const struct past_request *request)
{
    struct past_trigger *first = NULL;
    for (uint32_t i = 0; i < triggers_of(model); i++) {
        struct past_trigger *trigger = &model->known->triggers[i];
        if (!trigger->told && belong_together(trigger, request) && !known_made_by(model, trigger->number) &&
            (!first || trigger->number < first->number))
            first = trigger;
    }
    return first;
}
