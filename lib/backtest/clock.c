/* The virtual clock of one model. */
#include <errno.h>
#include <math.h>

#include "lib/backtest/inside.h"

#define LAST_S 9.2e9 /* seconds from the epoch that 64 bits of nanoseconds can count */

/* A clock that begins anew, since the machine did or since another kind of clock takes over, goes on from where the last
 * one was, by as much as the times of day say. */
static void rebase(struct past_model *model, int64_t raw_ns, double at_s)
{
    double passed_s = at_s - model->now_s;
    model->offset_ns = model->now_ns + (passed_s > 0 ? (int64_t)(passed_s * 1e9) : 0) - raw_ns;
}

int past_model_clock(struct past_model *model, double at_s, const struct recorded_at *taken, bool *back_p)
{
    *back_p = false;
    if (isnan(at_s))
        return -ENODATA;
    if (!(fabs(at_s) <= LAST_S))
        return -ERANGE;
    int64_t raw_ns = taken ? taken->steady_ns : (int64_t)llround(at_s * 1e9);
    if (!model->begun) {
        model->begun = true;
        model->first_ns = model->now_ns = raw_ns;
        model->first_s = at_s;
    } else if (model->steady != (taken != NULL) || (taken && raw_ns + model->offset_ns < model->now_ns)) {
        rebase(model, raw_ns, at_s);
    }
    model->steady = taken != NULL;
    model->now_s = at_s;
    if (raw_ns + model->offset_ns < model->now_ns)
        *back_p = true;
    else
        model->now_ns = raw_ns + model->offset_ns;
    return 0;
}
