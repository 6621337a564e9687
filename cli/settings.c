#include "cli/settings.h"

#include <stdio.h>
#include <string.h>

#include "cli/say.h"

const char *settings_add(struct settings *self, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return "key=value";
    if (self->count == SETTINGS_MAX)
        return "given fewer times";
    self->at[self->count++] = text;
    return NULL;
}

void settings_apply(const struct settings *self, const char *detector, struct detect_params *out)
{
    struct detect_error error = {0};
    int wrong = detect_params_init(out, detector, &error);
    for (uint32_t i = 0; !wrong && i < self->count; i++) {
        char key[64];
        const char *equals = strchr(self->at[i], '=');
        /* A name that is cut off is no parameter's either. */
        snprintf(key, sizeof key, "%.*s", (int)(equals - self->at[i]), self->at[i]);
        wrong = detect_params_set_text(out, key, text_of(equals + 1), &error);
    }
    if (!wrong)
        wrong = detect_params_check(out, &error);
    if (wrong)
        say_and_end(EX_USAGE, "%s", error.text);
}
