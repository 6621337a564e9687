/* request_story.h - what the tests of a request's life share: a request, and what a store would keep of its attempts.
 */
#ifndef TESTS_REQUEST_STORY_H
#define TESTS_REQUEST_STORY_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/retrain/request.h"

#define S INT64_C(1000000000)

static const struct request_rules rules = {.feedback_required = true,
                                           .accept_within_ns = 30 * S,
                                           .lease_ns = 300 * S,
                                           .max_run_ns = 3600 * S,
                                           .retry_first_ns = 30 * S,
                                           .retry_max_ns = 3600 * S,
                                           .attempts = 3};

static inline struct moment at(double seconds)
{
    return (struct moment){.steady_ns = (int64_t)(seconds * 1e9), .wall_s = 1e9 + seconds};
}

/* A request and what a store would keep of its attempts. */
struct story {
    struct request request;
    struct attempt_record records[8];
    bool known[8];
    double now;
    struct request_rules rules;
};

static inline struct request_step tell(struct story *story, struct request_event event)
{
    if (event.trainer && event.attempt < 8 && story->known[event.attempt])
        event.record = &story->records[event.attempt];
    struct request_step step = request_apply(&story->request, &event, &story->rules, at(story->now));
    if (step.attempt_began) {
        story->known[step.attempt] = true;
        snprintf(story->records[step.attempt].trainer, REQUEST_TRAINER_MAX + 1, "%s", event.trainer);
    }
    if ((step.answer == ANSWER_GRANTED || step.answer == ANSWER_CANCEL) && !step.again)
        story->records[step.attempt].said |= 1u << event.kind;
    if (step.attempt_ended)
        story->records[step.attempt].outcome = step.outcome;
    return step;
}

static inline struct request_step say(struct story *story, enum request_event_kind kind, uint32_t attempt,
                                      const char *trainer)
{
    return tell(story, (struct request_event){.kind = kind,
                                              .attempt = attempt,
                                              .trainer = trainer,
                                              .fraction = NAN,
                                              .done_gpu_hours = NAN,
                                              .retry = true});
}

static inline struct request_step happen(struct story *story, enum request_event_kind kind)
{
    return tell(story, (struct request_event){.kind = kind});
}

static inline struct request_step pass(struct story *story, double seconds)
{
    story->now += seconds;
    return happen(story, REQUEST_TIME);
}

static inline struct story fresh(void)
{
    struct story story = {.now = 1000, .rules = rules};
    story.request = (struct request){.id = "00112233445566778899aabbccddeeff",
                                     .model = "p/n/v",
                                     .episode = 1,
                                     .attempt = 1,
                                     .strategy = "pbt",
                                     .metric = "accuracy",
                                     .fraction = NAN,
                                     .created = at(1000),
                                     .not_before = at(1000),
                                     .first_offered = moment_never(),
                                     .offered = moment_never(),
                                     .accepted = moment_never(),
                                     .ended = moment_never()};
    return story;
}

/* Where the rows below begin. Trainer a holds attempt 1 wherever it was accepted, b attempt 2. */
enum setting {
    FRESH,          /* PENDING, never offered */
    OFFERED,        /* attempt 1 */
    AGAIN,          /* PENDING, the offer timed out */
    RUNNING,        /* attempt 1 by a */
    RETRY,          /* PENDING attempt 2: a failed */
    LOST,           /* PENDING attempt 2: a's lease ran out */
    RUNNING2,       /* attempt 2 by b */
    DONE,           /* by a */
    DEAD_FAILED,    /* a wants no retry */
    DEAD_LOST,      /* the only attempt allowed, by a, was lost */
    CANCELLED,      /* before anybody accepted */
    CANCELLED_LOST, /* after a's lease ran out */
    SUPERSEDED_LOST,
    SETTINGS
};

static inline struct story set(enum setting setting)
{
    struct story story = fresh();
    if (setting == FRESH)
        return story;
    happen(&story, REQUEST_OFFER);
    if (setting == CANCELLED)
        happen(&story, REQUEST_CANCEL);
    if (setting == AGAIN)
        pass(&story, 30);
    if (setting == OFFERED || setting == CANCELLED || setting == AGAIN)
        return story;
    if (setting == DEAD_LOST)
        story.rules.attempts = 1;
    say(&story, REQUEST_ACCEPT, 1, "a");
    say(&story, REQUEST_PROGRESS, 1, "a");
    if (setting == DONE)
        say(&story, REQUEST_FINISH, 1, "a");
    if (setting == RETRY)
        say(&story, REQUEST_FAIL, 1, "a");
    if (setting == DEAD_FAILED)
        tell(&story, (struct request_event){.kind = REQUEST_FAIL, .attempt = 1, .trainer = "a", .fraction = NAN});
    if (setting == LOST || setting == RUNNING2 || setting == DEAD_LOST || setting == CANCELLED_LOST ||
        setting == SUPERSEDED_LOST)
        pass(&story, 300);
    if (setting == RUNNING2) {
        happen(&story, REQUEST_OFFER);
        say(&story, REQUEST_ACCEPT, 2, "b");
    }
    if (setting == CANCELLED_LOST)
        happen(&story, REQUEST_CANCEL);
    if (setting == SUPERSEDED_LOST)
        happen(&story, REQUEST_REPLACED);
    return story;
}

#define ACCEPT REQUEST_ACCEPT
#define PROGRESS REQUEST_PROGRESS
#define FINISH REQUEST_FINISH
#define FAIL REQUEST_FAIL
#define OK ANSWER_GRANTED

#endif
