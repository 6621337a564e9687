/* silence.c - silence and unsilence: models that are judged and shown, but do not trigger, while people work on them. */
#include <stdio.h>
#include <string.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/visible.h"
#include "lib/config/scalar.h"
#include "lib/model_id.h"

struct wanted {
    int64_t for_ns;
    const char *reason;
};

enum { KEY_FOR = 'f', KEY_REASON = 'r' };

static const char *option(void *input, int key, const char *value)
{
    struct wanted *wanted = input;
    if (key == KEY_REASON) {
        wanted->reason = value;
        return NULL;
    }
    bool good = scalar_duration(text_of(value), &wanted->for_ns) == 0 && wanted->for_ns > 0;
    return good ? NULL : "a time, as in 90s, 30m, 2h or 1d";
}

static void check_pattern(const char *pattern)
{
    const char *why;
    if (model_pattern_check(text_of(pattern), &why) < 0)
        say_and_end(EX_USAGE, "'%s' names no models: %s", pattern, why);
}

static void show_silence(const json_t *answer, const void *argument)
{
    (void)argument;
    printf("Silenced ");
    visible_put(stdout, member_text(answer, "pattern"));
    printf(" until %s: judged and shown, not triggered\n", figure_stamp(member_text(answer, "until")).text);
}

int silence_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {{"for", KEY_FOR, "TIME", 0, "How long: 30m, 2h, 1d", 0},
                                                 {"reason", KEY_REASON, "TEXT", 0, "Why; it is shown", 0},
                                                 {0}};
    struct wanted wanted = {0};
    struct arguments arguments = {.options = options, .option = option, .input = &wanted, .least = 1, .most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    if (!wanted.for_ns)
        say_and_end(EX_USAGE, "silence wants --for TIME, so that it ends by itself (driftc help silence)");
    check_pattern(arguments.words[0]);
    json_t *question = must(json_pack("{s:s, s:s, s:f}", "do", self->name, "pattern", arguments.words[0], "for_s",
                                      (double)wanted.for_ns / 1e9));
    if (wanted.reason && json_object_set_new(question, "reason", json_string(wanted.reason)) < 0)
        say_and_end(EX_USAGE, "--reason is not UTF-8");
    return control_ask(common, question, show_silence, NULL);
}

static void show_unsilence(const json_t *answer, const void *argument)
{
    int64_t ended = member_count(answer, "ended");
    (void)argument;
    printf(ended == 1 ? "1 silence is ended\n" : "%s silences are ended\n", figure_count(ended).text);
}

int unsilence_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {.most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    json_t *question = must(json_pack("{s:s}", "do", self->name));
    if (arguments.count) {
        check_pattern(arguments.words[0]);
        json_object_set_new(question, "pattern", json_string(arguments.words[0]));
    }
    return control_ask(common, question, show_unsilence, NULL);
}
