#include "cli/state.h"

#include <strings.h>

const char *const model_states[] = {"unrecoverable", "failing",  "drifting", "stale", "retraining",
                                    "warming",       "silenced", "healthy",  NULL};
const char *const request_states[] = {"RUNNING", "OFFERED", "PENDING", "DEAD", "CANCELLED", "SUPERSEDED", "DONE", NULL};

static const struct {
    const char *state;
    enum colour colour;
} colours[] = {
    {"unrecoverable", RED}, {"failing", RED},  {"drifting", RED},  {"stale", YELLOW},   {"retraining", CYAN},
    {"warming", PLAIN},     {"silenced", DIM}, {"healthy", GREEN}, {"RUNNING", CYAN},   {"OFFERED", CYAN},
    {"PENDING", YELLOW},    {"DEAD", RED},     {"CANCELLED", DIM}, {"SUPERSEDED", DIM}, {"DONE", GREEN},
};

/* Requests' states may come in small letters too. */
static bool is(struct text state, const char *name)
{
    return state.len == strlen(name) && strncasecmp(state.at, name, state.len) == 0;
}

enum colour state_colour(struct text state)
{
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
        if (is(state, colours[i].state))
            return colours[i].colour;
    }
    return PLAIN;
}

bool state_known(struct text state)
{
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
        if (text_is(state, colours[i].state))
            return true;
    }
    return false;
}

unsigned state_rank(struct text state)
{
    unsigned rank = 0;
    while (model_states[rank] && !is(state, model_states[rank]))
        rank++;
    return rank;
}
