#include "lib/config/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/config/source.h"

#define FIRST_ROOM 65536

/* Reads until the end: a pipe does not know its size. */
static int read_all(FILE *file, struct text *out, struct arena *memory)
{
    size_t room = FIRST_ROOM, length = 0;
    char *bytes = malloc(room);
    int error = bytes ? 0 : -ENOMEM;
    while (error == 0) {
        length += fread(bytes + length, 1, room - length, file);
        if (ferror(file))
            error = errno > 0 ? -errno : -EIO;
        if (error != 0 || length < room)
            break;
        char *more = length > SOURCE_BYTES_MAX ? NULL : realloc(bytes, 2 * room);
        if (!more)
            error = length > SOURCE_BYTES_MAX ? -EFBIG : -ENOMEM;
        else
            bytes = more, room *= 2;
    }
    if (error == 0 && length > SOURCE_BYTES_MAX)
        error = -EFBIG;
    if (error == 0) {
        *out = (struct text){.at = arena_text(memory, (struct text){.at = bytes, .len = length}), .len = length};
        error = out->at ? 0 : -ENOMEM;
    }
    free(bytes);
    return error;
}

int file_read(struct text *out, const char *path, struct arena *memory)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    int error = read_all(file, out, memory);
    fclose(file);
    return error;
}
