/* shard_inside.h - what the files of a shard share; for them alone.
 *
 * Threads, memory, failure: as shard.h says.
 */
#ifndef DRIFTD_WORKERS_SHARD_INSIDE_H
#define DRIFTD_WORKERS_SHARD_INSIDE_H

#include <jansson.h>

#include "daemon/base/slice.h"
#include "daemon/workers/ledger.h"
#include "daemon/workers/models.h"
#include "daemon/workers/rejects.h"
#include "daemon/workers/shard.h"
#include "lib/wire/recorded.h"
#include "lib/retrain/silence.h"

#define RATE_SAMPLES 6 /* events per second are those of the last five */

/* A model that a sorted list shows: what it is sorted by, and where the model stands. */
struct walk_pick {
    double key;
    uint32_t place;
};

/* A question that is being answered, a slice of the models each turn. */
struct walk {
    struct walk *next;
    struct question *question;
    json_t *ask;
    struct json_write found; /* the list, as it is handed out */
    uint32_t shown;
    bool cut; /* the list is at its bytes, and there would be more */
    uint32_t at; /* the next model to look at */
    uint64_t matched, behind; /* of those, behind `after` */
    uint64_t states[MODEL_STATES];
    struct walk_pick *picks; /* shard_models.c */
    uint32_t pick_count, pick_room, written, skip;
    bool picked;
};

/* Lines of a recording that are not handed over yet. */
struct shard_tape {
    unsigned session; /* of recording, as the turn began; 0: nobody records */
    struct json_write line;
    char *text;
    size_t len, room;
    unsigned long long events;
};

struct shard {
    struct shard_options options;
    struct shard_ports ports;
    struct inbox *inbox;
    bool stopping;

    struct metric_decoder *decoder;
    struct allowance allowance; /* of its monitors: the ceiling's */
    struct models *models;
    struct ledger *ledger;
    struct rejects rejects;

    uint64_t messages, events, beacons, ignored, no_memory;
    uint64_t events_told;             /* cloud events, for their ids */
    atomic_uint_fast64_t events_seen; /* `events`, for other threads */
    struct {
        int64_t at_ns;
        uint64_t events;
    } samples[RATE_SAMPLES];
    uint32_t sample_count;

    int64_t second_ns; /* when the last round began */
    int64_t log_ns;    /* when the log was last told of drops */
    uint64_t down_told; /* of what is missing from while the daemon was down; */
    int64_t down_ns;    /* when the log hears of the rest; 0: there is none */
    bool round;        /* a round over the models is under way, */
    uint32_t round_at; /* and goes on here */
    uint32_t silent;   /* models that it has found to have fallen silent */
    const char *silent_example;
    uint32_t forgotten; /* models that it has given back */

    struct silences *silences; /* NULL: none */
    uint32_t silences_at;      /* the next model that is to learn of them; UINT32_MAX: all have */

    struct walk *walks, *walks_last;
    struct shard_tape tape;

    struct keyring_reader keys;
    const struct keyring_entry *sender; /* of the message at hand; NULL: nobody asks who it is */

    struct ask *asks; /* shard_asks.c */
    uint32_t ask_count, ask_room;
    struct slice *slice; /* being filled, or NULL */
    uint32_t slice_at;   /* the next model of a checkpoint; 0: none is under way */
    struct shard_renewal *renewal; /* under way, */
    uint32_t renewed;              /* and these models have it; NULL: none is */
};

/* shard.c: the model, made where it is not there yet. NULL, and counted, where that is not possible. */
struct model *shard_model(struct shard *self, uint64_t hash, const struct model_id *id, int64_t now_ns, int *why_p);

/* The same for one that is not there, with its monitor, which it owns from then on. */
struct model *shard_add(struct shard *self, uint64_t hash, const struct model_id *id, struct monitor *monitor,
                        int64_t now_ns, int *why_p);

/* What a model has taken of the ceiling; gives it back. */
int64_t shard_bytes_of(const struct model *model);
void shard_give_back(struct shard *self, const struct model *model);

/* shard_update.c: what the keeper of requests says of a model. */
void shard_update(struct shard *self, const struct retrain_update *update, struct now now);

/* shard_asks.c: takes a question what a metric of a model shows; answers those that can be answered. */
void shard_shows(struct shard *self, const struct retrain_update *update);
void shard_asks(struct shard *self, struct now now);
/* shard_silence.c: takes over which models are silenced; tells the next of them, true while there are more; and one. */
void shard_silences(struct shard *self, struct silences *silences);
bool shard_silence_more(struct shard *self);
void shard_silence_model(struct shard *self, struct model *model);
bool shard_asks_about(const struct shard *self, const struct model *model);
/* shard_frames.c: takes a frame, with its payload and its model where that is known. */
void shard_frame(struct shard *self, struct frame *frame, struct text payload, struct model *model, struct now now);

/* shard_renew.c: takes over other settings; goes on with that: true while there is more to do. */
void shard_renew(struct shard *self, struct shard_renewal *renewal);
bool shard_renewing(struct shard *self);

/* shard_timers.c: what happens once a second; true while a round is under way. */
bool shard_timers(struct shard *self, struct now now);
double shard_rate(const struct shard *self, int64_t now_ns);

/* shard_answers.c: takes a question over; goes on with those there are: true while there are any. */
void shard_ask(struct shard *self, struct question *question);
bool shard_answers(struct shard *self, struct now now);
void shard_forget_questions(struct shard *self);

/* shard_models.c: goes on with the question "models"; true when it is answered. */
bool shard_list_models(struct shard *self, struct walk *walk, struct now now);

/* shard_slices.c: takes a slice to be filled; goes on with it: true while there is more to do. */
void shard_slice_begin(struct shard *self, struct slice *slice);
bool shard_slices(struct shard *self);

/* model_json.c: a model as the control socket shows it. NULL: no memory. */
json_t *model_json(const struct model *model, struct now now, bool whole);
enum model_state model_state(const struct model *model, int64_t now_ns);

/* tape.c: writes down what is taken, while somebody records; begins a turn and ends it. */
void tape_begin(struct shard *self);
void tape_event(struct shard *self, struct model *model, const struct metric_event *event, struct now now);
void tape_update(struct shard *self, struct model *model, struct now now);
void tape_flush(struct shard *self);
void tape_free(struct shard *self);

/* herald.c: tells others. */
void herald_verdict(struct shard *self, struct model *model, const struct verdict *verdict, struct now now);
void herald_shown(struct shard *self, const struct model *model, const char *metric, double shown, uint64_t n,
                  struct now now);
void herald_silent(struct shard *self, struct model *model, struct now now);
void herald_lost(struct shard *self, const struct ledger_node *node, uint64_t fresh, struct now now);

#endif
