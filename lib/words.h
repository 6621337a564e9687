/* words.h - a sentence that is put together from pieces, as printf(3) would write them, at a tenth of its cost.
 *
 * What does not fit is cut, and said so.
 *
 * Threads: values, no state. Memory: the caller's. Failure: `cut`.
 */
#ifndef DRIFT_LIB_WORDS_H
#define DRIFT_LIB_WORDS_H

#include <stdint.h>

#include "lib/text.h"

struct words {
    char *at; /* always ended by a NUL */
    size_t room, len;
    bool cut;
};

/* Into `room` bytes, >= 1. */
static inline struct words words_into(char *at, size_t room)
{
    at[0] = '\0';
    return (struct words){.at = at, .room = room};
}

void words_add_text(struct words *self, struct text text);

static inline void words_add(struct words *self, const char *nul_terminated)
{
    words_add_text(self, text_of(nul_terminated));
}

/* "%llu" */
void words_add_count(struct words *self, uint64_t number);

/* "%.*g", with 1 to 9 digits */
void words_add_real(struct words *self, double number, int digits);

#endif
