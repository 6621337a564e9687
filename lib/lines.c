#include "lib/lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Where the block of the allocator begins stands right before: there are 16 bytes at least, as it is aligned to them. */
static void *line_in(char *whole)
{
    if (!whole)
        return NULL;
    char *at = whole + (LINES_BYTES - (uintptr_t)whole % LINES_BYTES);
    memcpy(at - sizeof whole, &whole, sizeof whole);
    return at;
}

void *lines_new(size_t bytes)
{
    return line_in(bytes <= SIZE_MAX - LINES_BYTES ? malloc(bytes + LINES_BYTES) : NULL);
}

void *lines_zeroed(size_t bytes)
{
    return line_in(bytes <= SIZE_MAX - LINES_BYTES ? calloc(1, bytes + LINES_BYTES) : NULL);
}

void lines_free(void *at)
{
    char *whole = NULL;
    if (at)
        memcpy(&whole, (char *)at - sizeof whole, sizeof whole);
    free(whole);
}
