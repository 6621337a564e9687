/* orders.c - the commands that change something by hand: retrain, cancel, requeue. They differ in a word. */
#include <stdio.h>

#include "cli/control.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/visible.h"

static const char *option(void *input, int key, const char *value)
{
    const char **reason = input;
    (void)key;
    *reason = value;
    return NULL;
}

/* The request that came of it, or that it was about. */
static void show(const json_t *answer, const void *argument)
{
    const json_t *request = json_object_get(answer, "request");
    struct text id = json_is_object(request) ? member_text(request, "id") : member_text(answer, "request");
    if (!id.len)
        id = member_text(answer, "id");
    printf("%s", (const char *)argument);
    if (id.len) {
        printf(": request ");
        visible_put(stdout, id);
    }
    putchar('\n');
}

struct order {
    const char *object; /* the member that says what it is about */
    const char *done;
};

static int give(const struct command *self, struct common *common, int argc, char **argv, const struct order *order)
{
    static const struct argp_option options[] = {{"reason", 'r', "TEXT", 0, "Why; it is kept", 0}, {0}};
    const char *reason = NULL;
    struct arguments arguments = {.options = options, .option = option, .input = &reason, .least = 1, .most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    const char *object = arguments.words[0];
    struct model_id id;
    if (strcmp(order->object, "model") == 0 && model_id_parse(&id, text_of(object)) < 0)
        say_and_end(EX_USAGE, "'%s' is no model; a model is project/name/version", object);
    json_t *question = json_pack("{s:s, s:s}", "do", self->name, order->object, object);
    if (!question)
        say_and_end(EX_USAGE, "'%s' is no %s", object, order->object);
    if (reason && json_object_set_new(question, "reason", json_string(reason)) < 0)
        say_and_end(EX_USAGE, "--reason is not UTF-8");
    return control_ask(common, question, show, order->done);
}

int retrain_run(const struct command *self, struct common *common, int argc, char **argv)
{
    return give(self, common, argc, argv, &(struct order){"model", "Retraining is asked for"});
}

int cancel_run(const struct command *self, struct common *common, int argc, char **argv)
{
    return give(self, common, argc, argv, &(struct order){"request", "Cancelled"});
}

int requeue_run(const struct command *self, struct common *common, int argc, char **argv)
{
    return give(self, common, argc, argv, &(struct order){"request", "Queued again"});
}
