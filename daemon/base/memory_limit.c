#include "daemon/base/memory_limit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int64_t memory_limit_of_machine(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && page > 0 ? (int64_t)pages * page : MEMORY_NO_LIMIT;
}

int64_t memory_resident(void)
{
    long long pages = 0;
    FILE *in = fopen("/proc/self/statm", "re");
    if (in && fscanf(in, "%*s %lld", &pages) != 1)
        pages = 0;
    if (in)
        fclose(in);
    return pages * sysconf(_SC_PAGE_SIZE);
}

/* "max", or nothing that can be read, is no limit. */
static int64_t read_limit(const char *folder, const char *file)
{
    char path[4200];
    int64_t bytes = MEMORY_NO_LIMIT;
    if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path)
        return MEMORY_NO_LIMIT;
    FILE *in = fopen(path, "re");
    if (!in)
        return MEMORY_NO_LIMIT;
    if (fscanf(in, "%19" SCNd64, &bytes) != 1 || bytes <= 0)
        bytes = MEMORY_NO_LIMIT;
    fclose(in);
    return bytes;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The least of a group and those above it. `path` is spoilt. */
static int64_t limit_at(const char *root, char *path)
{
    char folder[4096];
    int64_t limit = MEMORY_NO_LIMIT;
    for (;;) {
        if (snprintf(folder, sizeof folder, "%s%s", root, path) < (int)sizeof folder) {
            limit = least(limit, read_limit(folder, "memory.max"));
            limit = least(limit, read_limit(folder, "memory.high"));
            limit = least(limit, read_limit(folder, "memory.limit_in_bytes"));
        }
        char *slash = strrchr(path, '/');
        if (!slash)
            return limit;
        *slash = '\0';
    }
}

/* A line is NUMBER:CONTROLLERS:PATH; version 2 has no controllers. */
static int64_t limit_of_line(char *line, const char *root)
{
    char memory[4096];
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return MEMORY_NO_LIMIT;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (controllers[1] == '\0')
        return limit_at(root, path);
    if (strcmp(controllers + 1, "memory") != 0 ||
        snprintf(memory, sizeof memory, "%s/memory", root) >= (int)sizeof memory)
        return MEMORY_NO_LIMIT;
    return limit_at(memory, path);
}

int64_t memory_limit_of_groups(const char *list, const char *root)
{
    char line[4096];
    int64_t limit = MEMORY_NO_LIMIT;
    FILE *in = fopen(list, "re");
    if (!in)
        return limit;
    while (fgets(line, sizeof line, in))
        limit = least(limit, limit_of_line(line, root));
    fclose(in);
    return limit;
}
