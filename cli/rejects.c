#include <math.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/terminal.h"
#include "cli/visible.h"

static void put(const char *before, struct text outside, enum colour colour)
{
    if (!outside.len)
        return;
    printf("%s%s", before, terminal_on(colour));
    visible_put(stdout, outside);
    printf("%s\n", terminal_off(colour));
}

static void show_one(const json_t *reject)
{
    const json_t *last = json_object_get(reject, "last");
    struct text payload = member_text(last, "payload");
    int64_t bytes = member_count(last, "payload_bytes");
    printf("%s", terminal_on(YELLOW));
    visible_put(stdout, member_text(reject, "reason"));
    printf("%s  %s dropped, the last at %s\n", terminal_off(YELLOW), figure_count(member_count(reject, "count")).text,
           figure_time(member_number(last, "at_s", NAN)).text);
    put("  ", member_text(last, "detail"), PLAIN);
    put("  topic    ", member_text(last, "topic"), DIM);
    put("  payload  ", payload, DIM);
    if (bytes > (int64_t)payload.len)
        printf("           (the beginning of %s bytes)\n", figure_count(bytes).text);
}

static void show(const json_t *answer, const void *argument)
{
    const json_t *rejects = json_object_get(answer, "rejects"), *reject;
    size_t index;
    (void)argument;
    if (!json_array_size(rejects))
        printf("Nothing was dropped.\n");
    json_array_foreach (rejects, index, reject) {
        show_one(reject);
    }
}

int rejects_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {0};
    command_arguments(self, common, argc, argv, &arguments);
    return control_ask(common, json_pack("{s:s}", "do", "rejects"), show, NULL);
}
