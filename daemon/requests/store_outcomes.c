#include <math.h>

#include "daemon/requests/store_inside.h"
#include "lib/retrain/limits.h"

void store_begin_attempt(struct store *self, const struct store_outcome *attempt, struct text family, struct moment at)
{
    struct cursor cursor = store_write(self, BEGIN_ATTEMPT);
    put_text(&cursor, attempt->request);
    put_integer(&cursor, attempt->attempt);
    put_piece(&cursor, family);
    put_text(&cursor, attempt->strategy);
    put_text(&cursor, attempt->trainer);
    put_real(&cursor, attempt->expected_gpu_hours);
    put_integer(&cursor, self->boot);
    put_moment(&cursor, at);
    store_execute(&cursor);
}

void store_said(struct store *self, const char *request, uint32_t attempt, uint32_t said, struct moment at)
{
    struct cursor cursor = store_write(self, SAID);
    put_text(&cursor, request);
    put_integer(&cursor, attempt);
    put_integer(&cursor, said);
    put_real(&cursor, at.wall_s);
    store_execute(&cursor);
}

void store_end_attempt(struct store *self, const struct store_outcome *attempt, struct moment at)
{
    struct cursor cursor = store_write(self, END_ATTEMPT);
    put_text(&cursor, attempt->request);
    put_integer(&cursor, attempt->attempt);
    put_text(&cursor, attempt_outcome_name(attempt->outcome));
    put_real(&cursor, attempt->gpu_hours);
    put_real(&cursor, attempt->gain);
    put_text(&cursor, attempt->version);
    put_text(&cursor, attempt->artifact);
    put_text(&cursor, attempt->metrics_json);
    put_text(&cursor, attempt->error);
    put_real(&cursor, at.wall_s);
    put_real(&cursor, attempt->recovery);
    store_execute(&cursor);
}

void store_measured(struct store *self, const struct store_outcome *attempt)
{
    struct cursor cursor = store_write(self, MEASURED);
    put_text(&cursor, attempt->request);
    put_integer(&cursor, attempt->attempt);
    put_real(&cursor, attempt->measured);
    put_real(&cursor, attempt->recovery);
    store_execute(&cursor);
}

void store_late_report(struct store *self, const struct store_outcome *attempt)
{
    struct cursor cursor = store_write(self, LATE_REPORT);
    put_text(&cursor, attempt->request);
    put_integer(&cursor, attempt->attempt);
    put_real(&cursor, attempt->gpu_hours);
    put_text(&cursor, attempt->version);
    put_text(&cursor, attempt->artifact);
    put_text(&cursor, attempt->metrics_json);
    store_execute(&cursor);
}

int store_get_attempt(struct store *self, const char *request, uint32_t attempt, struct attempt_record *out)
{
    struct cursor cursor = store_read(self, GET_ATTEMPT);
    put_text(&cursor, request);
    put_integer(&cursor, attempt);
    int rc = store_next(&cursor);
    if (rc != 1)
        return rc;
    *out = (struct attempt_record){.said = 0};
    get_string(&cursor, out->trainer, sizeof out->trainer);
    out->said = (uint32_t)get_integer(&cursor);
    const char *outcome = get_text(&cursor);
    if (!outcome || attempt_outcome_of(text_of(outcome), &out->outcome) < 0)
        out->outcome = ATTEMPT_LOST;
    store_finish(&cursor);
    return 1;
}

static struct store_outcome read_outcome(struct cursor *cursor)
{
    struct store_outcome row = {.request = get_text(cursor)};
    row.attempt = (uint32_t)get_integer(cursor);
    row.strategy = get_text(cursor);
    row.trainer = get_text(cursor);
    const char *outcome = get_text(cursor);
    if (!outcome || attempt_outcome_of(text_of(outcome), &row.outcome) < 0)
        row.outcome = ATTEMPT_LOST;
    row.expected_gpu_hours = get_real(cursor);
    row.gpu_hours = get_real(cursor);
    row.gain = get_real(cursor);
    row.measured = get_real(cursor);
    row.recovery = get_real(cursor);
    row.version = get_text(cursor);
    row.artifact = get_text(cursor);
    row.metrics_json = get_text(cursor);
    row.error = get_text(cursor);
    return row;
}

static int each(struct cursor *cursor, store_outcome_fn *visit, void *argument)
{
    int rc;
    while ((rc = store_next(cursor)) == 1) {
        struct store_outcome row = read_outcome(cursor);
        visit(argument, &row);
    }
    return rc;
}

int store_last_trained(struct store *self, struct text family, store_outcome_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, LAST_TRAINED);
    put_piece(&cursor, family);
    int rc = store_next(&cursor);
    if (rc != 1)
        return rc;
    struct store_outcome row = read_outcome(&cursor);
    visit(argument, &row);
    store_finish(&cursor);
    return 1;
}

int store_each_outcome(struct store *self, struct text family, uint32_t most, store_outcome_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, OUTCOMES);
    put_piece(&cursor, family);
    put_integer(&cursor, most);
    return each(&cursor, visit, argument);
}

int store_each_attempt(struct store *self, const char *request, store_outcome_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, ATTEMPTS);
    put_text(&cursor, request);
    return each(&cursor, visit, argument);
}

static int each_use(struct store *self, enum store_statement statement, struct moment from, store_use_fn *visit,
                    void *argument)
{
    struct cursor cursor = store_read(self, statement);
    put_integer(&cursor, self->boot);
    put_integer(&cursor, from.steady_ns);
    put_real(&cursor, from.wall_s);
    int rc;
    while ((rc = store_next(&cursor)) == 1) {
        const char *request = get_text(&cursor);
        uint32_t attempt = (uint32_t)get_integer(&cursor);
        const char *family = get_text(&cursor);
        double gpu_hours = get_real(&cursor);
        int64_t boot = get_integer(&cursor);
        struct moment at = get_moment(&cursor, boot);
        rc = visit(argument, request, attempt, text_of(family), gpu_hours, at);
        if (rc != 0) {
            store_finish(&cursor);
            return rc;
        }
    }
    return rc;
}

int store_each_use(struct store *self, struct moment now, store_use_fn *visit, void *argument)
{
    struct moment from = moment_after(now, -LIMITS_DAY_NS);
    int rc = each_use(self, USED_STARTS, from, visit, argument);
    return rc ? rc : each_use(self, USED_HOURS, from, visit, argument);
}
