/* The virtual clock of one model. */
#include <errno.h>
#include <math.h>

#include "lib/backtest/inside.h"

#define LAST_S 9.2e9 /* seconds from the epoch that 64 bits of nanoseconds can count */

/* A clock that begins anew, since the machine did or since another kind of clock takes over, goes on from where the last
 * one was, by as much as the times of day say. -ERANGE: no clock gets there. */
static int rebase(struct past_model *model, int64_t raw_ns, double at_s)
{
    const double passed_s = fmax(0, at_s - model->now_s);
    int64_t then_ns;
    if (passed_s > LAST_S || __builtin_add_overflow(model->now_ns, (int64_t)(passed_s * 1e9), &then_ns) ||
        __builtin_sub_overflow(then_ns, raw_ns, &model->offset_ns))
        return -ERANGE;
    return 0;
}

static void begin(struct past_model *model, int64_t raw_ns, double at_s, bool steady)
{
    model->begun = true;
    model->steady = steady;
    model->first_ns = model->now_ns = raw_ns;
    model->first_s = at_s;
}

int past_model_clock(struct past_model *model, double at_s, const struct recorded_at *taken, bool *back_p)
{
    *back_p = false;
    if (isnan(at_s))
        return -ENODATA;
    if (!(fabs(at_s) <= LAST_S))
        return -ERANGE;
    const int64_t raw_ns = taken ? taken->steady_ns : (int64_t)llround(at_s * 1e9);
    int64_t now_ns;
    if (!model->begun)
        begin(model, raw_ns, at_s, taken != NULL);
    if (__builtin_add_overflow(raw_ns, model->offset_ns, &now_ns))
        return -ERANGE;
    if (model->steady != (taken != NULL) || (taken && now_ns < model->now_ns)) {
        if (rebase(model, raw_ns, at_s) < 0)
            return -ERANGE;
        now_ns = raw_ns + model->offset_ns;
    }
    model->steady = taken != NULL;
    model->now_s = at_s;
    *back_p = now_ns < model->now_ns;
    if (!*back_p)
        model->now_ns = now_ns;
    return 0;
}
