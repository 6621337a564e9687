/* fuzz_config.c - the configuration against libFuzzer.
 *
 *   clang -g -O1 -std=c11 -D_GNU_SOURCE -I. -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_config.c \
 *       lib/config/[a-z]*.c lib/model_id.c lib/retrain/strategy.c lib/siphash.c -lyaml -ljansson -lm -o
 * build/fuzz_config build/fuzz_config -max_total_time=60 -dict=tests/fuzz/config.dict CORPUS
 *
 * The first byte chooses the options, the rest is the text.
 */
#include <stdlib.h>

#include "lib/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *variable(void *argument, const char *name)
{
    (void)argument;
    return name[0] == 'A' ? "1" : name[0] == 'B' ? "" : name[0] == 'C' ? "tcp://[::1]:1" : NULL;
}

/* What is told has to be one line, and some text. */
static void look_at(void *argument, const char *line)
{
    unsigned *lines = argument;
    if (strchr(line, '\n') || strncmp(line, "f:", 2) != 0)
        abort();
    ++*lines;
}

static void ask(struct config *config)
{
    static const char *const ids[] = {"visutility/object-detector/v1", "a/b/c", "a/\xc3\xa9/1"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct model_id model;
        const struct monitor_settings *settings = NULL;
        struct config_place place;
        if (model_id_parse(&model, text_of(ids[i])) != 0 || config_settings_for(config, &model, &settings) != 0)
            abort();
        for (uint32_t k = 0; settings && k < settings->kpi_count; k++)
            if (settings->kpis[k].metric[0] == '\0')
                abort();
        if (settings)
            config_settings_place(config, settings, "kpis.accuracy.min", &place);
        config_place_of(config, "retraining.strategies.pbt.gpu_hours", &place);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct config_options options = {
        .no_env = data[0] & 1, .as_user = data[0] & 2, .getenv = data[0] & 4 ? NULL : variable};
    struct config *config = NULL;
    unsigned lines = 0;
    struct text yaml = {.at = (const char *)data + 1, .len = size - 1};
    int result = config_parse(&config, "f", yaml, &options, look_at, &lines);
    if ((result == 0) != (lines == 0) || (result == 0) != (config != NULL))
        abort();
    if (config)
        ask(config);
    config_destroy(&config);
    return 0;
}
