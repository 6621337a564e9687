/* What a shard takes, written down for who records it: lines of a recording (lib/wire/recorded.h). */
#include <stdlib.h>

#include "daemon/workers/shard_inside.h"

/* Appends the line that was just written. */
static void add_line(struct shard *self, uint32_t events)
{
    struct shard_tape *tape = &self->tape;
    if (tape->line.failed || tape->len + tape->line.len + 1 > tape->room) {
        size_t room = 2 * (tape->len + tape->line.len) + 4096;
        char *text = tape->line.failed ? NULL : realloc(tape->text, room);
        if (!text) {
            self->no_memory++;
            tape->line.failed = false;
            tape->line.len = 0;
            return;
        }
        tape->text = text;
        tape->room = room;
    }
    memcpy(tape->text + tape->len, tape->line.at, tape->line.len);
    tape->len += tape->line.len;
    tape->text[tape->len++] = '\n';
    tape->events += events;
    tape->line.len = 0;
}

static void add_stands(struct shard *self, struct model *model, uint64_t place, struct now now)
{
    const struct recorded_standing standing = {.live = model->live,
                                               .unrecoverable = model->unrecoverable,
                                               .episode = model->episode,
                                               .triggered_ns = model->triggered_ns,
                                               .ended_ns = model->ended_ns,
                                               .held_ns = model->silenced_ns};
    model->tape_session = self->tape.session;
    model->tape_silenced_ns = model->silenced_ns;
    recorded_stands(&self->tape.line, model_id_of(model).whole, &(struct recorded_at){now.wall_s, now.steady_ns, place},
                    &standing);
    add_line(self, 0);
}

void tape_begin(struct shard *self)
{
    self->tape.session =
        self->ports.tape_session ? atomic_load_explicit(self->ports.tape_session, memory_order_acquire) : 0;
}

void tape_event(struct shard *self, struct model *model, const struct metric_event *event, struct now now)
{
    uint64_t place = monitor_events(model->monitor);
    /* Who begins to record has to know how things stand with a model, before its first event; and whether somebody has
     * silenced it since. */
    bool fresh = model->tape_session != self->tape.session;
    if (fresh ? model->told || model->silenced_ns != INT64_MIN : model->silenced_ns != model->tape_silenced_ns)
        add_stands(self, model, place - 1, now);
    model->tape_session = self->tape.session;
    recorded_event(&self->tape.line, event, &(struct recorded_at){now.wall_s, now.steady_ns, place});
    add_line(self, 1);
}

void tape_update(struct shard *self, struct model *model, struct now now)
{
    if (!self->tape.session)
        return;
    add_stands(self, model, monitor_events(model->monitor), now);
}

void tape_flush(struct shard *self)
{
    struct shard_tape *from = &self->tape;
    if (from->len == 0)
        return;
    struct tape *tape = calloc(1, sizeof *tape);
    if (!tape) {
        self->no_memory++;
        from->len = 0;
        from->events = 0;
        return;
    }
    *tape = (struct tape){.text = from->text, .len = from->len, .events = from->events};
    from->text = NULL;
    from->len = from->room = 0;
    from->events = 0;
    self->ports.tape(self->ports.argument, tape);
}

void tape_free(struct shard *self)
{
    free(self->tape.text);
    free(self->tape.line.at);
}
