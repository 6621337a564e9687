#include "lib/retrain/silence.h"

int64_t silences_until_ns(const struct silences *self, const struct model_id *model)
{
    int64_t until_ns = INT64_MIN;
    for (uint32_t i = 0; self && i < self->count; i++) {
        const struct silence *silence = &self->at[i];
        if (silence->until.steady_ns > until_ns && model_pattern_matches(text_of(silence->pattern), model))
            until_ns = silence->until.steady_ns;
    }
    return until_ns;
}
