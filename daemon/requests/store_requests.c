#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/requests/store_inside.h"
#include "daemon/requests/store_why.h"

int store_find_last(struct store *self, char why[STORE_WHY_MAX])
{
    struct cursor cursor = store_read(self, LAST_NUMBER);
    int rc = store_next(&cursor);
    if (rc != 1)
        return store_say_error(self, rc, why);
    self->last = get_integer(&cursor);
    store_finish(&cursor);
    return 0;
}

/* It is as new as they come: what is the same in all of these stands in the statement. */
static void check_new(const struct request *request)
{
    assert(request->attempt == 1 && request->offers == 0 && request->offered_for_ns == 0);
    assert(!request->taken && !request->cancel_asked && !request->silent);
    assert(request->not_before.steady_ns == request->created.steady_ns);
}

int64_t store_add_request(struct store *self, const struct request *request, const char *by, const char *why)
{
    struct cursor cursor = store_write(self, ADD_REQUEST);
    check_new(request);
    put_integer(&cursor, ++self->last);
    put_text(&cursor, request->id);
    put_text(&cursor, request->model);
    put_piece(&cursor, model_id_family_of(text_of(request->model)));
    put_integer(&cursor, (int64_t)request->episode);
    put_text(&cursor, *request->metric ? request->metric : NULL);
    put_real(&cursor, request->severity);
    put_real(&cursor, request->observed);
    put_real(&cursor, request->limit);
    put_text(&cursor, request->trigger_json);
    put_text(&cursor, request->metrics_json);
    put_moment(&cursor, request->created);
    put_text(&cursor, request_state_name(request->state));
    put_text(&cursor, request->strategy);
    put_text(&cursor, request->strategy_reason);
    put_real(&cursor, request->gpu_hours);
    put_integer(&cursor, self->boot);
    put_text(&cursor, by);
    put_text(&cursor, why);
    store_execute(&cursor);
    return self->error ? 0 : self->last;
}

/* The wall clock's reading at the end of the lease, for people and tools. */
static double lease_end_s(const struct request *request)
{
    if (request->state != REQUEST_RUNNING || moment_is_never(request->accepted))
        return NAN;
    return request->accepted.wall_s + (double)(request->lease_end_ns - request->accepted.steady_ns) / 1e9;
}

void store_set_request(struct store *self, const struct request *request)
{
    struct cursor cursor = store_write(self, SET_REQUEST);
    put_integer(&cursor, request->number);
    put_text(&cursor, request_state_name(request->state));
    put_integer(&cursor, request->attempt);
    put_integer(&cursor, request->offers);
    put_integer(&cursor, request->taken);
    put_integer(&cursor, request->cancel_asked);
    put_integer(&cursor, request->silent);
    put_text(&cursor, request->strategy);
    put_text(&cursor, request->strategy_reason);
    put_real(&cursor, request->gpu_hours);
    put_text(&cursor, *request->trainer ? request->trainer : NULL);
    put_real(&cursor, request->fraction);
    put_text(&cursor, *request->note ? request->note : NULL);
    put_real(&cursor, lease_end_s(request));
    put_integer(&cursor, request->offered_for_ns);
    put_integer(&cursor, self->boot);
    put_integer(&cursor, request->created.steady_ns);
    put_moment(&cursor, request->not_before);
    put_moment(&cursor, request->first_offered);
    put_moment(&cursor, request->offered);
    put_moment(&cursor, request->accepted);
    put_moment(&cursor, request->ended);
    store_execute(&cursor);
}

static char *copy_text(struct cursor *cursor)
{
    const char *text = get_text(cursor);
    return strdup(text ? text : "{}");
}

/* 0, or what is wrong with the row: -ENOMEM, -EILSEQ. */
static int read_request(struct cursor *cursor, struct request *out)
{
    *out = (struct request){.number = get_integer(cursor)};
    get_string(cursor, out->id, sizeof out->id);
    get_string(cursor, out->model, sizeof out->model);
    out->episode = (uint64_t)get_integer(cursor);
    const char *state = get_text(cursor);
    bool good = state && request_state_of(text_of(state), &out->state) == 0;
    out->attempt = (uint32_t)get_integer(cursor);
    out->offers = (uint32_t)get_integer(cursor);
    out->taken = get_integer(cursor) != 0;
    out->cancel_asked = get_integer(cursor) != 0;
    out->silent = get_integer(cursor) != 0;
    get_string(cursor, out->strategy, sizeof out->strategy);
    get_string(cursor, out->strategy_reason, sizeof out->strategy_reason);
    out->gpu_hours = get_real(cursor);
    get_string(cursor, out->trainer, sizeof out->trainer);
    out->fraction = get_real(cursor);
    get_string(cursor, out->note, sizeof out->note);
    out->severity = get_real(cursor);
    get_string(cursor, out->metric, sizeof out->metric);
    out->observed = get_real(cursor);
    out->limit = get_real(cursor);
    out->trigger_json = copy_text(cursor);
    out->metrics_json = copy_text(cursor);
    out->offered_for_ns = get_integer(cursor);
    int64_t boot = get_integer(cursor);
    out->created = get_moment(cursor, boot);
    out->not_before = get_moment(cursor, boot);
    out->first_offered = get_moment(cursor, boot);
    out->offered = get_moment(cursor, boot);
    out->accepted = get_moment(cursor, boot);
    out->ended = get_moment(cursor, boot);
    if (good && out->trigger_json && out->metrics_json)
        return 0;
    request_texts_free(out);
    return good ? -ENOMEM : -EILSEQ;
}

void request_texts_free(struct request *request)
{
    free(request->trigger_json);
    free(request->metrics_json);
    request->trigger_json = request->metrics_json = NULL;
}

int store_get_ended(struct store *self, const char *id, struct request *out)
{
    struct cursor cursor = store_read(self, GET_ENDED);
    put_text(&cursor, id);
    int rc = store_next(&cursor);
    if (rc == 1) {
        int error = read_request(&cursor, out);
        rc = error ? error : 1;
        store_finish(&cursor);
    }
    return rc;
}

static int each(struct cursor *cursor, store_request_fn *visit, void *argument)
{
    int rc;
    while ((rc = store_next(cursor)) == 1) {
        struct request request;
        rc = read_request(cursor, &request);
        if (rc == 0) {
            rc = visit(argument, &request);
            request_texts_free(&request);
        }
        if (rc != 0) {
            store_finish(cursor);
            return rc;
        }
    }
    return rc;
}

int store_each_live(struct store *self, store_request_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, LIVE_REQUESTS);
    return each(&cursor, visit, argument);
}

int store_each_newest(struct store *self, enum request_state state, uint32_t most, store_request_fn *visit,
                      void *argument)
{
    struct cursor cursor = store_read(self, NEWEST_REQUESTS);
    put_text(&cursor, state == REQUEST_STATES ? NULL : request_state_name(state));
    put_integer(&cursor, most);
    return each(&cursor, visit, argument);
}

int store_count_states(struct store *self, uint64_t counts[REQUEST_STATES])
{
    struct cursor cursor = store_read(self, COUNT_STATES);
    int rc;
    memset(counts, 0, REQUEST_STATES * sizeof *counts);
    while ((rc = store_next(&cursor)) == 1) {
        enum request_state state;
        const char *name = get_text(&cursor);
        if (name && request_state_of(text_of(name), &state) == 0)
            counts[state] = (uint64_t)get_integer(&cursor);
    }
    return rc;
}

int64_t store_add_line(struct store *self, const struct store_line *line)
{
    struct cursor cursor = store_write(self, ADD_LINE);
    put_integer(&cursor, ++self->last);
    put_integer(&cursor, line->request);
    put_integer(&cursor, line->attempt);
    put_real(&cursor, line->at_s);
    put_text(&cursor, line->from);
    put_text(&cursor, line->to);
    put_text(&cursor, line->by);
    put_text(&cursor, line->why);
    store_execute(&cursor);
    return self->error ? 0 : self->last;
}

int store_each_line(struct store *self, int64_t request, store_line_fn *visit, void *argument)
{
    struct cursor cursor = store_read(self, LINES);
    put_integer(&cursor, request);
    int rc;
    while ((rc = store_next(&cursor)) == 1) {
        struct store_line line = {.request = request};
        line.attempt = (uint32_t)get_integer(&cursor);
        line.at_s = get_real(&cursor);
        line.from = get_text(&cursor);
        line.to = get_text(&cursor);
        line.by = get_text(&cursor);
        line.why = get_text(&cursor);
        visit(argument, &line);
    }
    return rc;
}
