/* text.h - a borrowed piece of text.
 *
 * Threads: values, no state. Memory: nothing is owned; a text lives as long as what it points into. Not terminated by a
 * NUL, and may hold any byte unless the function that made it says more.
 */
#ifndef DRIFT_LIB_TEXT_H
#define DRIFT_LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *at;
    size_t len; /* bytes */
};

static inline struct text text_of(const char *nul_terminated)
{
    return (struct text){.at = nul_terminated, .len = strlen(nul_terminated)};
}

/* As memcmp() == 0, mostly of few bytes: up to 32 without a call. */
static inline bool text_same_few(const void *a, const void *b, size_t len)
{
    const unsigned char *left = (const unsigned char *)a, *right = (const unsigned char *)b;
    if (len > 32)
        return memcmp(left, right, len) == 0;
    if (len >= 16)
        return memcmp(left, right, 16) == 0 && memcmp(left + len - 16, right + len - 16, 16) == 0;
    if (len >= 8)
        return memcmp(left, right, 8) == 0 && memcmp(left + len - 8, right + len - 8, 8) == 0;
    if (len >= 4)
        return memcmp(left, right, 4) == 0 && memcmp(left + len - 4, right + len - 4, 4) == 0;
    return len == 0 || (left[0] == right[0] && left[len / 2] == right[len / 2] && left[len - 1] == right[len - 1]);
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Copies a text into `out`, which has room for `size` bytes, >= 1: cut where it is longer, always ended by a NUL. */
static inline void text_put(char *out, size_t size, const char *nul_terminated)
{
    size_t len = strlen(nul_terminated);
    len = len < size ? len : size - 1;
    memcpy(out, nul_terminated, len);
    out[len] = '\0';
}

static inline bool text_is(struct text a, const char *nul_terminated)
{
    return text_equal(a, text_of(nul_terminated));
}

#endif
