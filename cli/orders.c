/* orders.c - the commands that change something by hand: retrain, cancel, requeue. They differ in a word. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/control.h"
#include "cli/member.h"
#include "cli/request_id.h"
#include "cli/say.h"
#include "cli/visible.h"

static const char *option(void *input, int key, const char *value)
{
    const char **reason = input;
    (void)key;
    *reason = value;
    return NULL;
}

/* The request that came of it, or that it was about. A trainer that works on it has yet to hear of a cancel. */
static void show(const json_t *answer, const void *argument)
{
    struct text state = member_text(answer, "state");
    (void)argument;
    printf("Request ");
    visible_put(stdout, member_text(answer, "request"));
    fputs(state.len ? " is " : "", stdout);
    visible_put(stdout, state);
    printf("%s\n", text_is(state, "RUNNING") ? ": its trainer is told to stop" : "");
    const struct text warning = member_text(answer, "warning");
    if (warning.len)
        say("%.*s", (int)warning.len, warning.at);
}

static const char *read_order(const struct command *self, struct common *common, int argc, char **argv,
                              json_t **question_p)
{
    static const struct argp_option options[] = {{"reason", 'r', "TEXT", 0, "Why; it is kept", 0}, {0}};
    const char *reason = NULL;
    struct arguments arguments = {.options = options, .option = option, .input = &reason, .least = 1, .most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    *question_p = must(json_pack("{s:s}", "do", self->name));
    if (reason && json_object_set_new(*question_p, "reason", json_string(reason)) < 0)
        say_and_end(EX_USAGE, "--reason is not UTF-8");
    return arguments.words[0];
}

int retrain_run(const struct command *self, struct common *common, int argc, char **argv)
{
    json_t *question;
    struct model_id id;
    const char *model = read_order(self, common, argc, argv, &question);
    if (model_id_parse(&id, text_of(model)) < 0)
        say_and_end(EX_USAGE, "'%s' is no model; a model is project/name/version", model);
    json_object_set_new(question, "model", json_string(model));
    return control_ask(common, question, show, NULL);
}

static int order_request(const struct command *self, struct common *common, int argc, char **argv)
{
    json_t *question;
    char *id;
    int status = request_id_find(common, read_order(self, common, argc, argv, &question), &id);
    if (status) {
        json_decref(question);
        return status;
    }
    json_object_set_new(question, "request", json_string(id));
    free(id);
    return control_ask(common, question, show, NULL);
}

int cancel_run(const struct command *self, struct common *common, int argc, char **argv)
{
    return order_request(self, common, argc, argv);
}

int requeue_run(const struct command *self, struct common *common, int argc, char **argv)
{
    return order_request(self, common, argc, argv);
}
