#include "lib/retrain/request.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/siphash.h"

static const char *const state_names[REQUEST_STATES] = {"PENDING", "OFFERED",   "RUNNING",   "DONE",
                                                        "DEAD",    "CANCELLED", "SUPERSEDED"};
static const char *const outcome_names[ATTEMPT_OUTCOMES] = {"running", "done", "failed", "lost", "delivered"};

const char *request_state_name(enum request_state state)
{
    return state_names[state];
}

/* Where `name` stands in a table; -EINVAL: nowhere. */
static int name_index(struct text name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (name.len == strlen(names[i]) && strncasecmp(name.at, names[i], name.len) == 0)
            return i;
    }
    return -EINVAL;
}

int request_state_of(struct text name, enum request_state *out)
{
    int index = name_index(name, state_names, REQUEST_STATES);
    if (index < 0)
        return index;
    *out = (enum request_state)index;
    return 0;
}

const char *attempt_outcome_name(enum attempt_outcome outcome)
{
    return outcome_names[outcome];
}

int attempt_outcome_of(struct text name, enum attempt_outcome *out)
{
    int index = name_index(name, outcome_names, ATTEMPT_OUTCOMES);
    if (index < 0)
        return index;
    *out = (enum attempt_outcome)index;
    return 0;
}

const char *request_refusal_code(enum request_answer answer)
{
    switch (answer) {
    case ANSWER_UNKNOWN_REQUEST:
        return "unknown_request";
    case ANSWER_STALE_ATTEMPT:
        return "stale_attempt";
    case ANSWER_NOT_ACCEPTED:
        return "not_accepted";
    case ANSWER_ENDED:
        return "ended";
    case ANSWER_BAD_MESSAGE:
        return "bad_message";
    case ANSWER_UNAVAILABLE:
        return "unavailable";
    case ANSWER_NONE:
    case ANSWER_GRANTED:
    case ANSWER_CANCEL:
    case ANSWERS:
        break;
    }
    return NULL;
}

/* 16 digits. */
static void put_hex(uint64_t number, char *out)
{
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
}

/* The keys are part of the store's format: they never change. Segments hold no '/', so the text below is unique. */
void request_make_id(const struct model_id *model, uint64_t episode, char out[REQUEST_ID_LEN + 1])
{
    static const struct siphash_key first = {.k0 = UINT64_C(0x6472696674642031), .k1 = UINT64_C(0x7265717565737431)};
    static const struct siphash_key second = {.k0 = UINT64_C(0x6472696674642032), .k1 = UINT64_C(0x7265717565737432)};
    char text[MODEL_ID_MAX + 24], *end = text + sizeof text, *at = end;
    do {
        *--at = (char)('0' + episode % 10);
    } while (episode /= 10);
    *--at = '/';
    at -= model->whole.len;
    memcpy(at, model->whole.at, model->whole.len);
    put_hex(siphash24(&first, at, (size_t)(end - at)), out);
    put_hex(siphash24(&second, at, (size_t)(end - at)), out + 16);
    out[REQUEST_ID_LEN] = '\0';
}

int64_t request_retry_wait_ns(const char *id, uint32_t failed_attempt, const struct request_rules *rules)
{
    static const struct siphash_key jitter = {.k0 = UINT64_C(0x6472696674642033), .k1 = UINT64_C(0x6a69747465722033)};
    int64_t wait = rules->retry_first_ns;
    for (uint32_t n = 1; n < failed_attempt && wait < rules->retry_max_ns; n++)
        wait = wait > INT64_MAX / 2 ? INT64_MAX : wait * 2;
    if (wait > rules->retry_max_ns)
        wait = rules->retry_max_ns;
    char text[REQUEST_ID_LEN + 16];
    int len = snprintf(text, sizeof text, "%s/%u", id, failed_attempt);
    double draw = (double)(siphash24(&jitter, text, (size_t)len) >> 11) * 0x1p-53; /* [0, 1) */
    return (int64_t)((double)wait * (0.8 + 0.4 * draw));
}

int64_t request_deadline_ns(const struct request *self, const struct request_rules *rules)
{
    switch (self->state) {
    case REQUEST_PENDING:
        return self->not_before.steady_ns;
    case REQUEST_OFFERED: {
        if (!rules->feedback_required)
            return INT64_MAX;
        int64_t left = REQUEST_UNWANTED_NS - self->offered_for_ns;
        return self->offered.steady_ns + (left < rules->accept_within_ns ? left : rules->accept_within_ns);
    }
    case REQUEST_RUNNING:
        return self->lease_end_ns < self->run_end_ns ? self->lease_end_ns : self->run_end_ns;
    case REQUEST_DONE:
    case REQUEST_DEAD:
    case REQUEST_CANCELLED:
    case REQUEST_SUPERSEDED:
    case REQUEST_STATES:
        break;
    }
    return INT64_MAX;
}
