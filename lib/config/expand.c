#include "lib/config/expand.h"

#include <stdio.h>

#include "lib/config/mistakes.h"
#include "lib/config/source.h"

#define NAME_BYTES_MAX 128

struct variable {
    char name[NAME_BYTES_MAX + 1];
    char form;         /* 0, '-' or '?' */
    struct text other; /* default or message */
};

static bool name_character(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Reads what follows "${" at `from`; *end_p is behind the '}'. Returns NULL or a sentence. */
static const char *variable_read(struct variable *out, struct text text, size_t from, size_t *end_p)
{
    size_t at = from;
    while (at < text.len && name_character(text.at[at], at == from))
        at++;
    const char *shape = "\"${\" begins a variable: write ${NAME}, ${NAME:-default} or ${NAME:?message}, or $${ for the "
                        "characters themselves";
    if (at == from || at - from > NAME_BYTES_MAX)
        return shape;
    memcpy(out->name, text.at + from, at - from);
    out->name[at - from] = '\0';
    out->form = 0;
    if (at + 1 < text.len && text.at[at] == ':' && (text.at[at + 1] == '-' || text.at[at + 1] == '?')) {
        out->form = text.at[at + 1];
        at += 2;
    }
    size_t begin = at;
    while (at < text.len && text.at[at] != '}') {
        if (out->form == 0)
            return shape;
        if (text.at[at] == '$' && at + 1 < text.len && text.at[at + 1] == '{')
            return "a variable inside the default or message of another; only plain text may stand there";
        at++;
    }
    if (at == text.len)
        return "\"${\" without its \"}\": write ${NAME}, or $${ for the characters themselves";
    out->other = (struct text){.at = text.at + begin, .len = at - begin};
    *end_p = at + 1;
    return NULL;
}

static enum expanded variable_value(const struct expansion *self, const struct variable *variable, struct text *out,
                                    char why[EXPAND_WHY_MAX])
{
    const struct config_options *options = self->options;
    const char *value = options->getenv ? options->getenv(options->getenv_argument, variable->name) : NULL;
    char quoted[MISTAKES_QUOTE_MAX];
    if (value && (*value || variable->form == 0)) {
        *out = text_of(value);
        if (source_is_utf8(*out))
            return EXPAND_DONE;
        snprintf(why, EXPAND_WHY_MAX, "the value of %s is no UTF-8; set it to a text in UTF-8", variable->name);
        return EXPAND_WRONG;
    }
    if (variable->form == '-') {
        *out = variable->other;
        return EXPAND_DONE;
    }
    if (options->no_env)
        return EXPAND_UNKNOWN;
    if (variable->form == '?' && variable->other.len > 0)
        snprintf(why, EXPAND_WHY_MAX, "%s: %s", variable->name, mistakes_quote(variable->other, quoted));
    else
        snprintf(why, EXPAND_WHY_MAX, "%s is not set in the environment; set it, or write ${%s:-default}",
                 variable->name, variable->name);
    return EXPAND_WRONG;
}

static bool append(char *out, size_t *length, const char *at, size_t len)
{
    if (len > EXPAND_VALUE_BYTES_MAX - *length)
        return false;
    if (len > 0)
        memcpy(out + *length, at, len);
    *length += len;
    return true;
}

/* Replaces into `out`, of EXPAND_VALUE_BYTES_MAX bytes. */
static enum expanded replace(struct expansion *self, struct text text, char *out, size_t *length,
                             char why[EXPAND_WHY_MAX])
{
    struct variable variable;
    bool unknown = false;
    for (size_t at = 0; at < text.len;) {
        struct text piece = {.at = text.at + at, .len = 1};
        size_t end = at + 1;
        if (text.len - at >= 3 && memcmp(piece.at, "$${", 3) == 0) {
            piece = text_of("${");
            end = at + 3;
        } else if (text.len - at >= 2 && memcmp(piece.at, "${", 2) == 0) {
            const char *wrong = variable_read(&variable, text, at + 2, &end);
            if (wrong) {
                snprintf(why, EXPAND_WHY_MAX, "%s", wrong);
                return EXPAND_WRONG;
            }
            enum expanded got = variable_value(self, &variable, &piece, why);
            if (got == EXPAND_WRONG)
                return got;
            if (got == EXPAND_UNKNOWN) {
                unknown = true;
                piece.len = 0;
            }
        }
        if (!append(out, length, piece.at, piece.len)) {
            snprintf(why, EXPAND_WHY_MAX, "longer than %d bytes once its variables are in", EXPAND_VALUE_BYTES_MAX);
            return EXPAND_WRONG;
        }
        at = end;
    }
    return unknown ? EXPAND_UNKNOWN : EXPAND_DONE;
}

enum expanded expand_text(struct expansion *self, struct text text, struct text *out, char why[EXPAND_WHY_MAX])
{
    *out = text;
    if (text.len < 2 || !memmem(text.at, text.len, "${", 2))
        return EXPAND_PLAIN;
    struct arena room = {0};
    char *buffer = arena_take(&room, EXPAND_VALUE_BYTES_MAX, 1);
    size_t length = 0;
    enum expanded done = buffer ? replace(self, text, buffer, &length, why) : EXPAND_NOMEM;
    if (done == EXPAND_DONE && length > EXPAND_BYTES_MAX - self->bytes) {
        snprintf(why, EXPAND_WHY_MAX, "the variables of this file come to more than %u MiB; use shorter ones", EXPAND_BYTES_MAX >> 20);
        done = EXPAND_WRONG;
    }
    if (done == EXPAND_DONE) {
        self->bytes += length;
        out->at = arena_text(self->memory, (struct text){.at = buffer, .len = length});
        out->len = length;
        if (!out->at)
            done = EXPAND_NOMEM;
    }
    arena_free(&room);
    return done;
}
