#include "lib/config/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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

/* Whoever opens a pipe waits until somebody writes into it. */
static bool is_pipe(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISFIFO(found.st_mode);
}

int file_read(struct text *out, const char *path, bool lasting, struct arena *memory)
{
    if (lasting && is_pipe(path))
        return -ESPIPE;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    int error = read_all(file, out, memory);
    fclose(file);
    return error;
}

static bool is_yaml(const char *name)
{
    size_t length = strlen(name);
    return *name != '.' && length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_all(DIR *directory, const char *folder, char **paths, uint32_t *count_p, struct arena *memory)
{
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry)
            return -errno;
        if (!is_yaml(entry->d_name))
            continue;
        if (*count_p == FILE_FOLDER_MAX)
            return -E2BIG;
        size_t room = strlen(folder) + strlen(entry->d_name) + 2;
        char *path = arena_take(memory, room, 1);
        if (!path)
            return -ENOMEM;
        snprintf(path, room, "%s%s%s", folder, slash, entry->d_name);
        paths[(*count_p)++] = path;
    }
}

int file_list(char ***paths_p, uint32_t *count_p, const char *folder, struct arena *memory)
{
    uint32_t count = 0;
    DIR *directory = *folder ? opendir(folder) : NULL;
    if (!directory)
        return *folder ? -errno : -ENOENT;
    char **paths = arena_take(memory, FILE_FOLDER_MAX, sizeof *paths);
    int error = paths ? list_all(directory, folder, paths, &count, memory) : -ENOMEM;
    closedir(directory);
    if (error != 0)
        return error;
    if (count > 1)
        qsort(paths, count, sizeof *paths, by_name);
    *paths_p = paths;
    *count_p = count;
    return 0;
}
