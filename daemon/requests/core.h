/* core.h - the inside of the requests station, without its thread.
 *
 * core_turn() is one turn of the loop: it takes what has come in, lets the rules of lib/retrain decide, commits all of it
 * in one transaction, and only then acts: jobs, replies, updates, events, in the order they were decided. A turn that
 * cannot be committed leaves everything as it was before; trainers are told `unavailable`, notices are kept.
 *
 * A request that is live stands in memory, all others in the store alone. Within a turn each request that is touched has
 * a second value, `next`, which becomes `now` with the commit.
 *
 * Threads: one. Memory: as each struct says. Failure: core_turn() says whether the station can go on.
 */
#ifndef DRIFTD_REQUESTS_CORE_H
#define DRIFTD_REQUESTS_CORE_H

#include <jansson.h>

#include "daemon/base/clock.h"
#include "daemon/requests/requests.h"
#include "daemon/requests/store.h"
#include "lib/retrain/heap.h"
#include "lib/retrain/map.h"
#include "lib/retrain/queue.h"
#include "lib/wire/feedback.h"
#include "lib/wire/json_write.h"

#define CORE_LETTERS_A_TURN 2048 /* in one transaction: a page that several of them touch is written once */
#define CORE_FEEDBACK_A_TURN 512
#define CORE_TIMERS_A_TURN 512
#define CORE_BURST_MAX 64         /* offers in one transaction */
#define CORE_HELD_MAX 65536       /* notices that wait for a store that is full */
#define CORE_REFUSED_NS (20 * CLOCK_MS_NS) /* pause after a job that nobody took */
#define CORE_RETRY_NS CLOCK_S_NS  /* between attempts to write to a store that is full */
#define CORE_FORGET_NS (600 * CLOCK_S_NS) /* between two looks for what was kept long enough */
#define CORE_TIDY_NS CLOCK_S_NS   /* quiet for so long: the store's log may be tidied */

/* A request that is live. */
struct live {
    struct live_block *block; /* that it lies in */
    struct map_link by_id, by_family;
    struct request now;   /* as committed; its texts are owned here */
    struct request *next; /* as this turn leaves it; NULL: not touched; `now` itself where `born` */
    struct live *next_touched;
    bool born; /* in this turn */
    bool well; /* its KPI held its budget again while it ran, and has not failed since */
    struct retrain_notice *notice; /* and of this one, whose metrics_json it has; NULL: of none */

    /* What was made of its job after the commit; recorded by the next turn. */
    enum { SENT_NOT, SENT_HANDED, SENT_NOT_TAKEN } sent;
    struct live *next_sent;

    /* What is derived from it: kept right by live_settle(). */
    struct limit_account *account;
    struct limit_ticket *start_ticket, *spend_ticket;
    uint32_t spend_attempt; /* whose cost the ticket is for; 0: none */
    bool started, running;  /* counted by the limits */
    struct queue_item item;
    size_t timer_place;
    int64_t timer_ns;
    uint32_t ended_attempt; /* that ended in this turn after somebody had it; 0: none */
    double ended_gpu_hours; /* what it cost; NAN: as expected */
};

enum effect_kind { EFFECT_JOB, EFFECT_REPLY, EFFECT_UPDATE, EFFECT_NEWS, EFFECT_ANSWER, EFFECT_SILENCES };

/* What is said to the log and to observers about a request. */
struct news {
    struct cloud_event *event; /* NULL: the log only */
    const char *sentence;      /* static */
    bool warning;
    const char *model, *why; /* in `texts`, as is the request's id, which begins it */
    char texts[];
};

/* What is to be done after the commit. Owned until then. */
struct effect {
    enum effect_kind kind;
    bool stands; /* REPLY: whether or not the turn commits */
    union {
        struct live *live; /* JOB */
        struct {
            void *sender;
            char *text;
        } reply;
        struct retrain_update *update;
        struct news *news;
        struct question *question;
    };
};

/* What is known of a way out for jobs; each has trainers of its own. */
struct outlet {
    uint32_t burst;                 /* offers that the next transaction may make */
    uint32_t made;                  /* of these, in this turn */
    bool asked;                     /* in this turn, and a trainer was free */
    uint32_t sent_now, refused_now; /* jobs of the last act */
    int64_t offer_ns;               /* no offers before: a trainer was free, and then was not */
};

/* Messages of trainers since the start. */
#define HEARD_UNAUTHORIZED ANSWERS /* a refusal that the request's life knows nothing of */
struct heard {
    uint64_t messages;
    struct {
        uint64_t count, untold;
        int64_t told_ns; /* 0: never */
    } refused[ANSWERS + 1];
};

struct letters {
    struct letter *at;
    size_t count, room;
};

struct core {
    struct requests_options options; /* all that it points to is owned by `memory` */
    void **memory;
    size_t memory_count;
    struct request_rules rules;
    struct requests_ports ports;
    struct inbox *inbox;
    struct store *store;
    struct limits *limits;
    struct queue *queue;
    struct map by_id, by_family; /* struct live */
    struct live_block *roomy;    /* where there is room for more of them */
    struct heap timers;
    uint64_t counts[REQUEST_STATES]; /* all requests of the store */

    struct moment now; /* of this turn */
    int error;         /* what makes this turn's commit impossible; 0: nothing */
    struct live *touched, *sent;
    struct effect *effects;
    size_t effect_count, effect_room;
    struct letters held;  /* to be taken before the inbox */
    struct letters taken; /* notices of this turn */
    struct letters asked; /* questions, answered from what is committed when the turn is over */
    struct outlet *outlets; /* as many as the port has */
    bool *closed; /* of each, in this turn: no offers, or no further ones. Where it was asked for a free trainer in
                     vain the port's wait() ends when there is one */
    bool again;           /* the next turn is due at once */
    bool stopping;        /* LETTER_STOP was taken */

    bool full;        /* the store cannot be written */
    int64_t retry_ns; /* when it is tried again */
    uint64_t held_lost;
    struct silences *silences; /* as committed; never NULL once the station has begun */
    bool silences_differ;      /* this turn changes them: the next command about them waits for the commit */
    int64_t forget_ns;             /* when that is */
    uint64_t gone[REQUEST_STATES]; /* forgotten by this turn */
    struct moment began;           /* when the station was started */
    int64_t busy_ns; /* the last turn that committed something */
    struct heard heard;
    uint64_t alarms; /* raised so far, for their ids */
    struct requests_renewal *renewal; /* of the options, which the next turn takes over; NULL: none */
    bool choose_due;                  /* core_choose_anew() is */
    bool ended;                       /* the station cannot go on */
    struct history_row *fleet; /* of each strategy: the fleet's sums, while `fleet_known`, and of the family that chooses */
    bool fleet_known;          /* until the turn is over, an attempt is counted or the strategies change */
    struct json_write data, event;    /* where these are written; the memory stays for the next */
};

/* `boot` names the machine's boot, `key` is random. The inbox stays the caller's. */
int core_new(struct core **self_p, const struct requests_options *options, const struct requests_ports *ports,
             struct inbox *inbox, const char *boot, const struct siphash_key *key, struct now now,
             char why[STORE_WHY_MAX]);

/* Without a further word to anybody: what is not committed is lost. */
void core_destroy(struct core **self_p);

/* False: the station cannot go on; the engine was told. */
bool core_turn(struct core *self, struct now now);

/* When the next turn is due at the latest, on the steady clock. */
int64_t core_due_ns(const struct core *self);

/* All that came before LETTER_STOP is committed. */
bool core_stopped(const struct core *self);

/* Requests that are live. */
uint32_t core_live(const struct core *self);

/* Takes the other options over, at the beginning of a turn; true when that is done. core_open.c. */
bool core_renew(struct core *self);
/* And then, in a turn that can write: strategies for the requests whose own is gone. */
void core_choose_anew(struct core *self);

/* -- for the files of the core: live.c ------------------------------------------------------------------------------- */

bool live_timer_before(const void *a, const void *b);
struct live *live_by_id(struct core *self, struct text id);
struct live *live_by_family(struct core *self, struct text family);

/* The value as this turn has it so far. */
static inline const struct request *live_value(const struct live *live)
{
    return live->next ? live->next : &live->now;
}

/* Makes a request live whose value is in the store (born false) or was made in this turn. Takes its texts over; on
 * failure (NULL) they stay the caller's. */
struct live *live_add(struct core *self, const struct request *value, bool born);

/* The value to be changed; NULL: no memory, the turn cannot be committed. */
struct request *live_touch(struct core *self, struct live *live);

/* Brings limits, queue and timer in line with a value. */
void live_settle(struct core *self, struct live *live, const struct request *value);

/* What became of the jobs of the last turn is on the disk: before live_publish(), which frees those that it ended. */
void live_sent_recorded(struct core *self);
/* The commit succeeded, or did not. */
void live_publish(struct core *self);
void live_undo(struct core *self);
/* Every lease runs a full term from now. */
void live_renew_leases(struct core *self);
void live_free_all(struct core *self);

/* -- step.c: applies an event, records what it did, notes whom to tell ------------------------------------------------ */

struct request_step step_apply(struct core *self, struct live *live, const struct request_event *event);
/* The same with what a trainer reported. */
struct request_step step_apply_report(struct core *self, struct live *live, const struct request_event *event,
                                      const struct feedback *report);
/* Keeps what was reported too late. */
void step_late(struct core *self, const struct request *request, const struct request_step *step,
               const struct request_event *event, const struct feedback *report);
/* Where the configuration has a waiting request's strategy no more, it gets another: as it is where it was never offered,
 * else as a new attempt. */
void step_renew_strategy(struct core *self, struct live *live);
/* Chooses the strategy of the current attempt. */
void step_choose(struct core *self, struct request *request, struct text family, uint64_t family_requests);
/* A line in the history that changes nothing. */
void step_note(struct core *self, const struct request *request, const char *by, const char *why);
/* A request that was just made. */
void step_begin(struct core *self, struct live *live, const char *by, const char *why);
/* The project/name of a valid model's id. */
struct text step_family(const char *model);
/* Notes that a model's keeper is to hear how its requests stand. */
void step_tell_model(struct core *self, const struct store_model *row, bool live, bool unrecoverable);

/* -- learn.c: what strategies have brought ------------------------------------------------------------------------------ */

uint32_t learn_choose(struct core *self, const struct strategy_context *context, char reason[STRATEGY_REASON_MAX]);
/* An attempt ended: fills in gain and recovery, and counts it. `report` may be NULL. */
void learn_ended(struct core *self, const struct request *request, const struct feedback *report,
                 struct store_outcome *outcome);
/* A request is done: asks what its KPI shows from now on, where the model is known. `version` NULL: no new one. */
void learn_ask(struct core *self, const struct request *request, const char *version);
/* A request has ended, and nobody waits for it any more: tells of the versions that a new one replaces, which may serve already. */
void learn_done(struct core *self, const struct request *request);
/* At the start, once for each model that has triggered: what was asked before and not answered yet. */
void learn_ask_again(struct core *self, const struct store_model *row);
/* What notices say of the family's latest training. */
void learn_serving(struct core *self, const struct retrain_notice *notice);
/* Tells the keeper of a model when a version that was trained in its place serves. */
void learn_tell_replaced(struct core *self, const struct store_model *row);
void learn_shown(struct core *self, const struct retrain_notice *notice);
void learn_triggered(struct core *self, const struct retrain_notice *notice);
void learn_recovered(struct core *self, const struct retrain_notice *notice);

/* -- what comes in ----------------------------------------------------------------------------------------------------- */

/* notices.c: 0; -EAGAIN: this turn cannot take it, the next can. Otherwise it stays where it is until the turn is over,
 * since a request that is made of it takes its metrics over, and gives them back if it comes to nothing. */
int notices_take(struct core *self, struct retrain_notice *notice);
/* notices_why.c: "accuracy mean < 0.8, observed 0.52 over 64 values, 3 failures in a row" */
void notices_why(const struct trigger *trigger, char out[REQUEST_WHY_MAX]);

/* Opens an episode and makes its request. `trigger_json` and `metrics_json` are taken over. NULL: no memory. */
struct new_request {
    const char *model;
    const char *by, *why;
    double severity;
    const char *metric; /* "" by hand */
    double observed, limit;
    char *trigger_json, *metrics_json;
    struct retrain_notice *notice; /* that the metrics are from; NULL */
    struct moment triggered; /* or asked for */
    uint32_t fruitless;
    const struct store_model *model_row; /* with the next: as this turn has read them; NULL: not yet */
    const struct store_family *family_row;
};
struct live *episodes_open(struct core *self, const struct new_request *request);

/* hear.c: one message of a trainer. */
void hear_feedback(struct core *self, const struct feedback_letter *letter);
/* How many there were, and what was refused: the member `feedback` of the status. */
void hear_write(const struct core *self, struct json_write *out);

/* offers.c */
void offers_timers(struct core *self);
/* A turn begins: which outlets may make offers. */
void offers_begin(struct core *self);
/* Something could be offered if a trainer is free. */
bool offers_possible(struct core *self);
void offers_make(struct core *self);
void offers_record_sent(struct core *self);

/* The reason that came with a command, cut to what is kept. */
const char *commands_reason(json_t *asked, char *out, size_t size);

/* commands.c: does what a person asked for, if it is a command that changes something; it then gets its answer after the
 * commit. 0; -EAGAIN as above; -ENOENT: it is none of these. */
int commands_take(struct core *self, struct question *question);

/* silences.c: "silence" and "unsilence", as commands_take() has them; NULL: no memory, or *rc_p
 * -EAGAIN, another one has changed them in this turn. What stands is read from the store
 * after the commit, and told to the keepers of models; false: no memory, or the store cannot be read. */
char *silences_begin(struct core *self, json_t *asked, int *rc_p);
char *silences_end(struct core *self, json_t *asked, int *rc_p);
bool silences_tell(struct core *self);
/* A JSON list of those that stand now. */
void silences_write(const struct core *self, struct json_write *out);

/* forget.c: clears away what ended long ago, a little a turn; forget_settle() after the commit, or when it failed. */
void forget_some(struct core *self);
void forget_settle(struct core *self, bool committed);

/* questions.c: the answer from what is committed. NULL: no memory. */
char *questions_answer(struct core *self, const char *ask);

/* -- effects.c -------------------------------------------------------------------------------------------------------- */

void effects_job(struct core *self, struct live *live);
/* `stands`: whether or not the turn commits. */
void effects_reply(struct core *self, void *sender, char *text, bool stands);
void effects_answer(struct core *self, struct question *question);
/* The same at once. */
void effects_answer_now(struct question *question);
void effects_silences(struct core *self);
void effects_update(struct core *self, struct retrain_update *update);
/* `type` NULL: the log only. `data` is a JSON object; its `at` NULL: memory is short. */
void effects_news(struct core *self, const char *type, const char *id, const struct request *request,
                  const char *sentence, bool warning, const char *why, struct text data);
/* To be done at once, whatever becomes of the turn: an alarm. */
void effects_alarm(struct core *self, const char *kind, bool raised, const char *message);
/* The same about the store's file; `sentence` is static, `why` says what the disk answered and may be NULL. */
void effects_store_alarm(struct core *self, const char *kind, bool raised, const char *sentence, const char *why);
void effects_act(struct core *self);
void effects_undo(struct core *self);

/* Memory is short: the turn cannot be committed. */
static inline void core_fail(struct core *self, int error)
{
    if (self->error == 0)
        self->error = error;
}

#endif
