/* settings.h - `--set key=value`, for the commands that take a detector's parameters.
 *
 * Threads: one. Memory: texts are borrowed from the command line. Failure: settings_apply() ends the program with one
 * sentence that names what is allowed.
 */
#ifndef DRIFT_CLI_SETTINGS_H
#define DRIFT_CLI_SETTINGS_H

#include <stdint.h>

#include "lib/detect/detect.h"

#define SETTINGS_MAX 32

struct settings {
    const char *at[SETTINGS_MAX];
    uint32_t count;
};

/* Takes one "key=value"; returns NULL, or what it has to be. */
const char *settings_add(struct settings *self, const char *text);

/* The detector's defaults with all settings applied. */
void settings_apply(const struct settings *self, const char *detector, struct detect_params *out);

#endif
