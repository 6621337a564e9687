/* fuzz_config.c - the configuration, and the table of clients, against any bytes.
 *
 * The first byte chooses what the rest is taken for and which options hold; a part of the inputs is also printed and
 * read again, or told key by key, as that costs more than reading does. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/config/clients.h"
#include "lib/config/config.h"
#include "lib/config/print.h"
#include "lib/wire/utf8.h"
#include "tests/fuzz/fuzz_main.h"

#define NO_ENV 1u
#define AS_USER 2u
#define WITHOUT_VARIABLES 4u
#define CLIENTS 8u
#define PRINT 16u /* with TELL: neither */
#define TELL 32u

/* The value of every variable whose name begins with a letter: what may be hard to print, or to take for an endpoint.
 */
static const char *variable(void *argument, const char *name)
{
    static const char *const values[] = {['A'] = "1",
                                         ['B'] = "",
                                         ['C'] = "tcp://[::1]:1",
                                         ['D'] = "/a b\n\"$${X}\" # '\t\xc3\xa9\xc2\x85\xe2\x80\xa8\xef\xbb\xbf",
                                         ['E'] = "\xff",
                                         ['H'] = "/home/\xc3\xa9",
                                         ['X'] = "/run/x"};
    unsigned char first = (unsigned char)name[0];
    (void)argument;
    return first < sizeof(values) / sizeof(values[0]) && strcmp(name, "XDG_STATE_HOME") != 0 ? values[first] : NULL;
}

/* What is told has to be one line of text, which no terminal obeys. */
static void look_at(void *argument, const char *line)
{
    unsigned *lines = argument;
    if (!utf8_valid(text_of(line)) || strncmp(line, "f:", 2) != 0)
        abort();
    for (const char *at = line; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            abort();
    ++*lines;
}

static void look_at_key(void *argument, const char *key, const char *value, const struct config_place *place)
{
    const struct config *config = argument;
    struct config_place again;
    if (!*key || !value || (place->file != NULL) != (place->line > 0))
        abort();
    config_place_of(config, key, &again);
    free(config_value(config, key));
}

/* What holds for a model with rules takes thresholds that keep their promise, which cost some thousand times what
 * reading does: of such inputs one in 256 is asked, by the sum of its bytes. */
static bool is_asked(struct text yaml)
{
    unsigned sum = 0;
    if (!memmem(yaml.at, yaml.len, "detector", 8) && !memmem(yaml.at, yaml.len, "evidence", 8))
        return true;
    for (size_t i = 0; i < yaml.len; i++)
        sum += (unsigned char)yaml.at[i];
    return sum % 256 == 0;
}

static void ask(struct config *config, bool settle, bool tell)
{
    static const char *const ids[] = {"visutility/object-detector/v1", "a/b/c", "a/\xc3\xa9/1"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct model_id model;
        const struct monitor_settings *settings = NULL;
        struct config_place place;
        if (model_id_parse(&model, text_of(ids[i])) != 0 ||
            (settle && config_settings_for(config, &model, &settings) != 0))
            abort();
        for (uint32_t k = 0; settings && k < settings->kpi_count; k++)
            if (settings->kpis[k].metric[0] == '\0')
                abort();
        if (settings)
            config_settings_place(config, settings, "kpis.accuracy.min", &place);
        config_place_of(config, "retraining.strategies.pbt.gpu_hours", &place);
        config_place_of(config, "retraining.limits.projects.p.per_day", &place);
        if (tell)
            config_effective(config, &model, settings, look_at_key, config);
    }
}

/* Lines without what stands behind them: where each key was set. */
struct printed {
    char *at;
    size_t len;
};

static void keep_line(void *argument, const char *line)
{
    struct printed *self = argument;
    size_t bytes = strlen(line);
    if (strchr(line, '\n'))
        abort();
    self->at = realloc(self->at, self->len + bytes + 2);
    if (!self->at)
        abort();
    memcpy(self->at + self->len, line, bytes);
    self->len += bytes;
    self->at[self->len++] = '\n';
    self->at[self->len] = '\0';
}

static struct config *reread(const struct printed *text, const struct config_options *options)
{
    struct config *again = NULL;
    unsigned lines = 0;
    if (config_parse(&again, "f", (struct text){text->at, text->len}, options, look_at, &lines) != 0)
        abort();
    return again;
}

/* What is printed is read again, to a configuration that is printed as the one read before. */
static void print_and_reread(const struct config *config, const struct config_options *options)
{
    struct printed first = {0}, second = {0}, third = {0};
    if (config_print(config, keep_line, &first) != 0)
        abort();
    struct config *again = reread(&first, options);
    if (config_print(again, keep_line, &second) != 0)
        abort();
    config_destroy(&again);
    again = reread(&second, options);
    if (config_print(again, keep_line, &third) != 0)
        abort();
    /* The first says where each value was set; from then on all are set, in the places where they are printed. */
    if (second.len != third.len || memcmp(second.at, third.at, second.len) != 0)
        abort();
    config_destroy(&again);
    free(first.at);
    free(second.at);
    free(third.at);
}

static void read_clients(struct text yaml)
{
    static struct config_project shop = {.project = "shop", .jobs.count = 1};
    static const struct config_projects own = {.at = &shop, .count = 1};
    struct config_clients *clients = NULL;
    unsigned lines = 0;
    int result = config_clients_parse(&clients, "f", yaml, &own, look_at, &lines);
    if ((result == 0) != (lines == 0) || (result == 0) != (clients != NULL))
        abort();
    for (uint32_t i = 0; clients && i < clients->count; i++)
        if (!config_client_key_valid(text_of(clients->at[i].key)) || !*clients->at[i].name ||
            clients->at[i].role >= CONFIG_ROLES || clients->at[i].project_count > CONFIG_CLIENT_PROJECTS_MAX ||
            (clients->at[i].role == CONFIG_ROLE_OBSERVER && clients->at[i].project_count > 0))
            abort();
    config_clients_destroy(&clients);
}

static void read_config(uint8_t how, struct text yaml)
{
    const struct config_options options = {
        .no_env = how & NO_ENV, .as_user = how & AS_USER, .getenv = how & WITHOUT_VARIABLES ? NULL : variable};
    struct config *config = NULL;
    unsigned lines = 0;
    int result = config_parse(&config, "f", yaml, &options, look_at, &lines);
    if ((result == 0) != (lines == 0) || (result == 0) != (config != NULL))
        abort();
    if (config)
        ask(config, is_asked(yaml), (how & (TELL | PRINT)) == TELL);
    /* Without an environment a value may be unknown: nothing stands for it. */
    if (config && !options.no_env && (how & (TELL | PRINT)) == PRINT)
        print_and_reread(config, &options);
    config_destroy(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text yaml = {.at = (const char *)data + 1, .len = size - 1};
    if (data[0] & CLIENTS)
        read_clients(yaml);
    else
        read_config(data[0], yaml);
    return 0;
}

FUZZ_MAIN(NULL, NULL, 0)
