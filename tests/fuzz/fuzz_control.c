/* fuzz_control.c - a question of the control socket against any bytes, by the functions that the station calls for it:
 * each has one answer, which is a JSON object with "ok". The first byte chooses what shards have answered. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/commands.h"
#include "tests/fuzz/fuzz_main.h"

static const char *const answers[] = {
    "{\"ok\":true}", "{\"ok\":false,\"error\":\"unknown_model\",\"message\":\"m\"}",
    "{\"ok\":true,\"models\":[{\"model\":\"a/b/c\",\"state\":\"healthy\",\"failures\":0}],\"total\":1}",
    "{\"ok\":true,\"events\":3,\"dropped\":{\"syntax\":1},\"lost\":{\"n\":2},\"models\":{\"healthy\":1}}",
    "{\"ok\":true,\"rejects\":[{\"reason\":\"syntax\",\"count\":1,\"at\":\"2026-01-01T00:00:00.000Z\"}]}"};
#define ANSWERS (sizeof answers / sizeof *answers)

static void promise_answer(json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    if (!text || !json_is_boolean(json_object_get(answer, "ok")))
        abort();
    free(text);
    json_decref(answer);
}

/* As the station does when those asked have answered, or some of them. */
static void merge(const struct command *command, json_t *ask, uint8_t which)
{
    json_t *parts[2];
    for (size_t i = 0; i < 2; i++)
        parts[i] = json_loads(answers[(which >> (4 * i) & 15u) % ANSWERS], 0, NULL);
    if (command->merge)
        promise_answer(command->merge(ask, parts, command->merge == merge_only ? 1 : 2));
    for (size_t i = 0; i < 2; i++)
        json_decref(parts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *refusal = NULL,
           *ask = size ? json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!ask)
        return 0;
    const struct command *command = command_find(ask, &refusal);
    /* The log's level is set there, and said in the log: once for each input that finds the word. */
    if (command && command->begin && strcmp(command->name, "log_level") != 0)
        refusal = command->begin(ask);
    if (!command && !refusal)
        abort();
    if (refusal) {
        promise_answer(refusal);
    } else if (command) {
        char *text = json_dumps(ask, JSON_COMPACT); /* what the shards and the others are asked */
        if (!text)
            abort();
        free(text);
        merge(command, ask, data[0]);
    }
    json_decref(ask);
    return 0;
}

FUZZ_MAIN(NULL, NULL, 0)
