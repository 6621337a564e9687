/* Answers to what can be asked: requests, request, status. Nothing is changed here. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/requests/core.h"
#include "lib/wire/feedback.h"
#include "lib/wire/json_write.h"

#define LIST_DEFAULT 1000
#define LIST_MAX 100000
#define LIST_BYTES_MAX ((size_t)8 << 20) /* where the question does not say; the last request may end behind it */
#define WAITING_LOOKED_AT 1000 /* pending requests, so that a status costs no more however many wait */

struct page {
    struct core *core;
    struct json_write out;
    size_t most; /* bytes of a list */
};

static void put_string(struct json_write *out, const char *key, const char *string)
{
    json_write_key(out, key);
    json_write_string(out, string && *string ? string : NULL);
}

static void put_number(struct json_write *out, const char *key, double number)
{
    json_write_key(out, key);
    json_write_number(out, number);
}

static void put_time(struct json_write *out, const char *key, struct moment moment)
{
    json_write_key(out, key);
    json_write_time(out, moment_is_never(moment) ? NAN : moment.wall_s);
}

static double seconds_to(const struct core *self, int64_t at_ns)
{
    int64_t left = at_ns - self->now.steady_ns;
    return left > 0 ? round((double)left / 1e6) / 1e3 : 0;
}

/* What a PENDING request waits for. */
struct wait {
    const char *what;  /* "retry", "limit" or "trainer" */
    char held_by[192]; /* the limit's name, as the configuration has it; empty: none */
    int64_t until_ns;  /* INT64_MAX: nobody knows, or `hold` can tell */
    struct limit_hold hold;
};

static struct wait wait_for_limit(const struct live *live, struct limit_hold hold)
{
    struct wait wait = {.what = "limit", .until_ns = INT64_MAX, .hold = hold};
    struct model_id id;
    if (hold.of_project && model_id_parse(&id, text_of(live->now.model)) == 0)
        snprintf(wait.held_by, sizeof wait.held_by, "projects.%.*s.%s", (int)id.project.len, id.project.at,
                 limit_kind_name(hold.kind));
    else
        text_put(wait.held_by, sizeof wait.held_by, limit_kind_name(hold.kind));
    return wait;
}

static struct wait waits_for(struct core *self, const struct live *live)
{
    const struct request *request = &live->now;
    bool first = moment_is_never(request->first_offered);
    struct wait wait = {.what = "retry", .until_ns = request->not_before.steady_ns};
    if (request->not_before.steady_ns > self->now.steady_ns)
        return wait;
    wait.what = "limit";
    wait.until_ns = first ? limits_model_free_ns(self->limits, live->account, step_family(request->model)) : INT64_MIN;
    if (wait.until_ns > self->now.steady_ns) {
        struct limit_hold of_model = {LIMIT_PER_MODEL, limits_model_of_project(self->limits, live->account)};
        text_put(wait.held_by, sizeof wait.held_by, wait_for_limit(live, of_model).held_by);
        return wait;
    }
    int64_t cost = limits_micro(request->gpu_hours);
    struct limit_hold hold = limits_judge_fleet(self->limits, first, cost);
    if (hold.kind == LIMIT_NONE)
        hold = limits_judge_project(live->account, first, cost);
    if (hold.kind != LIMIT_NONE)
        return wait_for_limit(live, hold);
    return (struct wait){.what = "trainer", .until_ns = INT64_MAX};
}

static void put_waiting(struct page *page, const struct live *live)
{
    struct wait wait = {.what = NULL, .until_ns = INT64_MAX};
    const struct core *core = page->core;
    if (live && live->now.state == REQUEST_PENDING)
        wait = waits_for(page->core, live);
    if (wait.hold.kind != LIMIT_NONE)
        wait.until_ns = limits_free_ns(core->limits, wait.hold.of_project ? live->account : NULL, wait.hold.kind,
                                       limits_micro(live->now.gpu_hours));
    bool known = wait.until_ns != INT64_MAX;
    put_string(&page->out, "held_by", wait.held_by);
    put_time(&page->out, "held_until",
             known && *wait.held_by
                 ? moment_after((struct moment){core->now.steady_ns, core->now.wall_s}, wait.until_ns - core->now.steady_ns)
                 : moment_never());
    put_string(&page->out, "waiting_for", wait.what);
    put_number(&page->out, "due_in_s", known ? seconds_to(page->core, wait.until_ns) : NAN);
    put_number(&page->out, "lease_left_s",
               live && live->now.state == REQUEST_RUNNING ? seconds_to(page->core, live->now.lease_end_ns) : NAN);
}

/* The members of one request, without its brackets. */
static void put_members(struct page *page, const struct request *request)
{
    struct json_write *out = &page->out;
    put_string(out, "id", request->id);
    put_string(out, "model", request->model);
    json_write_key(out, "episode");
    json_write_integer(out, (int64_t)request->episode);
    put_string(out, "state", request_state_name(request->state));
    json_write_key(out, "attempt");
    json_write_integer(out, request->attempt);
    json_write_key(out, "attempts");
    json_write_integer(out, page->core->rules.attempts);
    json_write_key(out, "offers");
    json_write_integer(out, request->offers);
    put_string(out, "strategy", request->strategy);
    put_string(out, "strategy_reason", request->strategy_reason);
    put_number(out, "gpu_hours", request->gpu_hours);
    json_write_key(out, "severity");
    json_write_measure(out, request->severity);
    put_string(out, "trainer", request->trainer);
    put_number(out, "fraction", request->fraction);
    put_string(out, "note", request->note);
    json_write_key(out, "cancel_asked");
    json_write_bool(out, request->cancel_asked);
    put_waiting(page, live_by_id(page->core, text_of(request->id)));
    put_time(out, "created_at", request->created);
    put_time(out, "offered_at", request->offered);
    put_time(out, "accepted_at", request->accepted);
    put_time(out, "ended_at", request->ended);
    json_write_key(out, "trigger");
    json_write_raw(out, text_of(request->trigger_json));
}

static int put_listed(void *argument, struct request *request)
{
    struct page *page = argument;
    if (page->out.len > page->most)
        return 1;
    json_write_bracket(&page->out, '{');
    put_members(page, request);
    json_write_bracket(&page->out, '}');
    return 0;
}

static void put_line(void *argument, const struct store_line *line)
{
    struct json_write *out = &((struct page *)argument)->out;
    json_write_bracket(out, '{');
    json_write_key(out, "at");
    json_write_time(out, line->at_s);
    put_string(out, "from", line->from);
    put_string(out, "to", line->to);
    put_string(out, "by", line->by);
    put_string(out, "why", line->why);
    json_write_key(out, "attempt");
    json_write_integer(out, line->attempt);
    json_write_bracket(out, '}');
}

static void put_attempt(void *argument, const struct store_outcome *attempt)
{
    struct json_write *out = &((struct page *)argument)->out;
    json_write_bracket(out, '{');
    json_write_key(out, "attempt");
    json_write_integer(out, attempt->attempt);
    put_string(out, "strategy", attempt->strategy);
    put_string(out, "trainer", attempt->trainer);
    put_string(out, "outcome", attempt_outcome_name(attempt->outcome));
    put_number(out, "gpu_hours", attempt->gpu_hours);
    json_write_key(out, "gain");
    json_write_measure(out, isnan(attempt->measured) ? attempt->gain : attempt->measured);
    json_write_key(out, "measured");
    json_write_bool(out, !isnan(attempt->measured));
    json_write_key(out, "recovery");
    json_write_measure(out, attempt->recovery);
    put_string(out, "version", attempt->version);
    put_string(out, "artifact", attempt->artifact);
    put_string(out, "error", attempt->error);
    if (attempt->metrics_json) {
        json_write_key(out, "metrics");
        json_write_raw(out, text_of(attempt->metrics_json));
    }
    json_write_bracket(out, '}');
}

static void open_page(struct page *page)
{
    json_write_bracket(&page->out, '{');
    json_write_key(&page->out, "ok");
    json_write_bool(&page->out, true);
}

static char *close_page(struct page *page, int rc)
{
    json_write_bracket(&page->out, '}');
    char *text = json_write_take(&page->out);
    if (rc >= 0)
        return text;
    free(text);
    return feedback_refused("unavailable", "the store cannot be read now: try again");
}

static char *answer_requests(struct core *self, json_t *asked)
{
    json_t *bytes = json_object_get(asked, "bytes");
    struct page page = {.core = self, .most = bytes ? (size_t)json_integer_value(bytes) : LIST_BYTES_MAX};
    enum request_state state = REQUEST_STATES;
    json_t *wanted = json_object_get(asked, "state"), *most = json_object_get(asked, "most");
    json_int_t limit = json_is_integer(most) ? json_integer_value(most) : LIST_DEFAULT;
    if (wanted && !json_is_null(wanted) &&
        (!json_is_string(wanted) || request_state_of(text_of(json_string_value(wanted)), &state) < 0))
        return feedback_refused("bad_message", "\"state\" must be PENDING, OFFERED, RUNNING, DONE, DEAD, CANCELLED or "
                                               "SUPERSEDED");
    if ((most && !json_is_null(most) && !json_is_integer(most)) || limit < 1 || limit > LIST_MAX)
        return feedback_refused("bad_message", "\"most\" must be a whole number from 1 to 100000");
    open_page(&page);
    json_write_key(&page.out, "requests");
    json_write_bracket(&page.out, '[');
    int rc = store_each_newest(self->store, state, (uint32_t)limit, put_listed, &page);
    json_write_bracket(&page.out, ']');
    uint64_t all = 0;
    for (int i = 0; i < REQUEST_STATES; i++)
        all += state == REQUEST_STATES || (int)state == i ? self->counts[i] : 0;
    json_write_key(&page.out, "count");
    json_write_integer(&page.out, (int64_t)all);
    return close_page(&page, rc);
}

static char *answer_request(struct core *self, json_t *asked)
{
    struct page page = {.core = self};
    struct request ended = {.number = 0};
    const char *id = json_string_value(json_object_get(asked, "request"));
    if (!id)
        return feedback_refused("bad_message", "\"request\" must be the id of a request");
    const struct live *live = live_by_id(self, text_of(id));
    const struct request *request = live ? &live->now : &ended;
    int rc = live ? 1 : store_get_ended(self->store, id, &ended);
    if (rc == 0)
        return feedback_refused("unknown_request", "no request has this id");
    if (rc < 0)
        return feedback_refused("unavailable", "the store cannot be read now: try again");
    open_page(&page);
    put_members(&page, request);
    json_write_key(&page.out, "metrics");
    json_write_raw(&page.out, text_of(request->metrics_json));
    json_write_key(&page.out, "history");
    json_write_bracket(&page.out, '[');
    rc = store_each_line(self->store, request->number, put_line, &page);
    json_write_bracket(&page.out, ']');
    json_write_key(&page.out, "outcomes");
    json_write_bracket(&page.out, '[');
    if (rc >= 0)
        rc = store_each_attempt(self->store, request->id, put_attempt, &page);
    json_write_bracket(&page.out, ']');
    request_texts_free(&ended);
    return close_page(&page, rc);
}

/* What pending requests of an outlet wait for, and how long the one has waited that waits longest for a trainer. */
struct waiting {
    int64_t retry, limit, trainer;
    double longest_s;
};

/* `all` has one for each outlet. */
static void count_waiting(struct core *self, struct waiting *all)
{
    uint32_t looked_at = 0;
    for (size_t i = 0; i <= self->by_id.mask && looked_at < WAITING_LOOKED_AT; i++) {
        for (struct map_link *link = self->by_id.slots[i]; link; link = link->next) {
            const struct live *live = MAP_THING(link, struct live, by_id);
            struct waiting *waiting = &all[live->item.outlet];
            if (live->now.state != REQUEST_PENDING)
                continue;
            const char *reason = waits_for(self, live).what;
            double waited_s = (double)(self->now.steady_ns - live->now.not_before.steady_ns) / 1e9;
            looked_at++;
            waiting->retry += strcmp(reason, "retry") == 0;
            waiting->limit += strcmp(reason, "limit") == 0;
            if (strcmp(reason, "trainer") != 0)
                continue;
            waiting->trainer++;
            waiting->longest_s = fmax(waiting->longest_s, waited_s);
        }
    }
}

static void put_waiting_of(struct page *page, const struct waiting *waiting)
{
    json_write_key(&page->out, "retry");
    json_write_integer(&page->out, waiting->retry);
    json_write_key(&page->out, "limit");
    json_write_integer(&page->out, waiting->limit);
    json_write_key(&page->out, "trainer");
    json_write_integer(&page->out, waiting->trainer);
    put_number(&page->out, "trainer_wait_s", round(waiting->longest_s * 1e3) / 1e3);
}

/* Of all, and of each project that has trainers of its own. */
static void put_queue(struct page *page)
{
    struct core *self = page->core;
    const struct job_port *port = &self->ports.job;
    struct waiting sum = {.retry = 0}, *all = calloc(port->outlets, sizeof *all);
    if (all)
        count_waiting(self, all);
    for (uint32_t i = 0; all && i < port->outlets; i++)
        sum = (struct waiting){sum.retry + all[i].retry, sum.limit + all[i].limit, sum.trainer + all[i].trainer,
                               fmax(sum.longest_s, all[i].longest_s)};
    json_write_key(&page->out, "queue");
    json_write_bracket(&page->out, '{');
    put_waiting_of(page, &sum);
    if (all && port->outlets > 1) {
        json_write_key(&page->out, "projects");
        json_write_bracket(&page->out, '{');
        for (uint32_t i = 1; i < port->outlets; i++) {
            json_write_key(&page->out, port->project(port->argument, i));
            json_write_bracket(&page->out, '{');
            put_waiting_of(page, &all[i]);
            json_write_bracket(&page->out, '}');
        }
        json_write_bracket(&page->out, '}');
    }
    json_write_bracket(&page->out, '}');
    free(all);
}

static char *answer_status(struct core *self)
{
    struct page page = {.core = self};
    open_page(&page);
    json_write_key(&page.out, "requests");
    json_write_bracket(&page.out, '{');
    for (int i = 0; i < REQUEST_STATES; i++) {
        json_write_key(&page.out, request_state_name((enum request_state)i));
        json_write_integer(&page.out, (int64_t)self->counts[i]);
    }
    json_write_bracket(&page.out, '}');
    put_queue(&page);
    hear_write(self, &page.out);
    json_write_key(&page.out, "silences");
    silences_write(self, &page.out);
    json_write_key(&page.out, "store_full");
    json_write_bool(&page.out, self->full);
    return close_page(&page, 0);
}

char *questions_answer(struct core *self, const char *ask)
{
    json_t *asked = json_loads(ask, JSON_REJECT_DUPLICATES, NULL);
    const char *command = json_string_value(json_object_get(asked, "do"));
    char *answer;
    if (command && strcmp(command, "requests") == 0)
        answer = answer_requests(self, asked);
    else if (command && strcmp(command, "request") == 0)
        answer = answer_request(self, asked);
    else if (command && strcmp(command, "status") == 0)
        answer = answer_status(self);
    else if (command && (strcmp(command, "retrain") == 0 || strcmp(command, "cancel") == 0 ||
                         strcmp(command, "requeue") == 0 || strcmp(command, "silence") == 0 ||
                         strcmp(command, "unsilence") == 0))
        answer = feedback_refused("unavailable", "the store cannot be written now: try again");
    else
        answer = feedback_refused("bad_message", "the keeper of requests does not know this command");
    json_decref(asked);
    return answer;
}
