#include <math.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/state.h"
#include "cli/status.h"
#include "cli/terminal.h"
#include "cli/visible.h"

static void label(const char *name)
{
    printf("%s%-10s%s", terminal_on(DIM), name, terminal_off(DIM));
}

static void put(struct text outside)
{
    visible_put(stdout, outside);
}

/* "3 failing, 997 healthy": what is not well first, and what is none left out. */
static void put_states(const char *name, const json_t *counts, const char *const *order)
{
    const char *key;
    const json_t *value;
    bool any = false;
    label(name);
    for (; *order; order++) {
        int64_t count = member_count(counts, *order);
        if (!count)
            continue;
        printf("%s%s%s %s%s", any ? ", " : "", terminal_on(state_colour(text_of(*order))), figure_count(count).text,
               *order, terminal_off(state_colour(text_of(*order))));
        any = true;
    }
    json_object_foreach((json_t *)counts, key, value)
    {
        if (!json_is_integer(value) || !json_integer_value(value) || state_known(text_of(key)))
            continue;
        printf("%s%s ", any ? ", " : "", figure_count(json_integer_value(value)).text);
        put(text_of(key));
        any = true;
    }
    printf("%s\n", any ? "" : "none");
}

#define SHOWN 8 /* reasons or nodes in one line */

/* "12 syntax, 3 range": whatever names there are, the largest first. */
static void put_counts(const char *name, const json_t *counts, const char *join, const char *hint)
{
    int64_t below = INT64_MAX;
    size_t shown = 0, all = json_object_size(counts);
    const char *at_below = "";
    label(name);
    while (shown < SHOWN) {
        const char *key, *best = NULL;
        const json_t *value;
        int64_t most = 0;
        json_object_foreach((json_t *)counts, key, value)
        {
            int64_t count = member_count(counts, key);
            bool later = count < below || (count == below && strcmp(key, at_below) > 0);
            if (later && (count > most || (count == most && best && strcmp(key, best) < 0))) {
                best = key;
                most = count;
            }
        }
        if (!best)
            break;
        printf("%s%s%s%s ", shown ? ", " : "", terminal_on(YELLOW), figure_count(most).text, terminal_off(YELLOW));
        printf("%s", join);
        put(text_of(best));
        below = most;
        at_below = best;
        shown++;
    }
    if (!shown)
        printf("nothing");
    else if (shown == SHOWN && all > SHOWN)
        printf(", and %s more", figure_count((int64_t)(all - SHOWN)).text);
    printf("%s%s\n", shown ? hint : "", "");
}

static void put_while_down(int64_t count)
{
    if (count == 0)
        return;
    label("Missed");
    printf("%s%s%s that nodes sent while the daemon was down\n", terminal_on(YELLOW),
           figure_count(count).text, terminal_off(YELLOW));
}

static void put_reload(const json_t *reload)
{
    if (!json_is_object(reload) || json_object_size(reload) == 0)
        return;
    bool fine = member_true(reload, "ok");
    const json_t *errors = json_object_get(reload, "errors"), *error;
    size_t index;
    label("Reload");
    if (json_object_get(reload, "at") && json_is_null(json_object_get(reload, "at"))) {
        printf("none since the start\n");
        return;
    }
    printf("%s%s%s ", terminal_on(fine ? GREEN : RED), fine ? "taken" : "refused", terminal_off(GREEN));
    put(member_text(reload, "at"));
    putchar('\n');
    json_array_foreach(errors, index, error)
    {
        printf("          ");
        put((struct text){.at = json_is_string(error) ? json_string_value(error) : "",
                          .len = json_string_length(error)});
        putchar('\n');
    }
}

/* Nothing where there is none: it is the exception. */
static void put_silences(const json_t *silences)
{
    const json_t *silence;
    size_t index;
    json_array_foreach(silences, index, silence)
    {
        label("Silenced");
        put(member_text(silence, "pattern"));
        printf(" until %s", figure_stamp(member_text(silence, "until")).text);
        struct text reason = member_text(silence, "reason");
        fputs(reason.len ? ": " : "", stdout);
        put(reason);
        putchar('\n');
    }
}

/* Nothing while all is well: when it was, and of how much, `--json` says. */
static void put_checkpoint(const json_t *checkpoint)
{
    struct text error = member_text(checkpoint, "error");
    if (!error.len)
        return;
    label("Checkpoint");
    printf("%s", terminal_on(RED));
    put(error);
    printf("%s\n", terminal_off(RED));
}

/* Nothing while there is room. */
static void put_memory(const json_t *memory)
{
    int64_t refused = member_count(memory, "refused");
    if (!refused)
        return;
    label("Memory");
    bool full = member_true(memory, "full");
    printf("%s%s its ceiling%s, %s times a model, a metric or the like was not made\n", terminal_on(full ? RED : YELLOW),
           full ? "at" : "was at", terminal_off(full ? RED : YELLOW), figure_count(refused).text);
}

/* Nothing while it can be written. */
static void put_store(const json_t *answer)
{
    if (!member_true(answer, "store_full"))
        return;
    label("Store");
    printf("%sfull%s: no retraining is offered until there is room on its disk\n", terminal_on(RED), terminal_off(RED));
}

/* Nothing while trainers are understood, and read what they are told. */
static void put_feedback(const json_t *feedback)
{
    const json_t *refused = json_object_get(feedback, "refused");
    const int64_t lost = member_count(feedback, "replies_lost");
    if (json_object_size(refused) > 0)
        put_counts("Refused", refused, "", " (messages of trainers; the log shows mistakes)");
    if (lost) {
        label("Trainers");
        printf("%s%s%s replies were read by nobody\n", terminal_on(YELLOW), figure_count(lost).text, terminal_off(YELLOW));
    }
}

/* Nothing while everybody who connects comes in, and reads what there is. */
static void put_peers(const json_t *handshakes, const json_t *observers)
{
    const int64_t failed = member_count(handshakes, "failed"), again = member_count(handshakes, "reconnected"),
                  behind = member_count(observers, "behind"), dropped = member_count(observers, "dropped");
    if (failed) {
        label("Peers");
        printf("%s%s%s did not come in (the log says who, and why)\n", terminal_on(YELLOW), figure_count(failed).text,
               terminal_off(YELLOW));
    }
    if (again) {
        label("Nodes");
        printf("%s%s%s times one of metrics.connect broke the protocol and was connected to again\n",
               terminal_on(YELLOW), figure_count(again).text, terminal_off(YELLOW));
    }
    if (behind || dropped) {
        label("Observers");
        printf("%s%s%s times one did not keep up, %s events were dropped here\n", terminal_on(YELLOW),
               figure_count(behind).text, terminal_off(YELLOW), figure_count(dropped).text);
    }
}

void status_show(const json_t *answer)
{
    double up_s = member_number(answer, "up_s", NAN), rate = member_number(answer, "events_per_s", NAN);
    printf("%sdriftd ", terminal_on(BOLD));
    put(member_text(answer, "version"));
    printf("%s, up %s, %s events, %s a second\n", terminal_off(BOLD), figure_span(up_s).text,
           figure_count(member_count(answer, "events")).text, figure_value(rate).text);
    put_states("Models", json_object_get(answer, "models"), model_states);
    put_states("Requests", json_object_get(answer, "requests"), request_states);
    put_silences(json_object_get(answer, "silences"));
    put_counts("Dropped", json_object_get(answer, "dropped"), "", " (driftc rejects shows examples)");
    put_counts("Lost", json_object_get(answer, "lost"), "of ", "");
    put_while_down(member_count(answer, "while_down"));
    put_feedback(json_object_get(answer, "feedback"));
    put_store(answer);
    put_peers(json_object_get(answer, "handshakes"), json_object_get(answer, "observers"));
    put_memory(json_object_get(answer, "memory"));
    put_reload(json_object_get(answer, "reload"));
    put_checkpoint(json_object_get(answer, "checkpoint"));
}

static void show(const json_t *answer, const void *argument)
{
    (void)argument;
    status_show(answer);
}

int status_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {0};
    command_arguments(self, common, argc, argv, &arguments);
    return control_ask(common, json_pack("{s:s}", "do", "status"), show, NULL);
}
