#include "daemon/base/boot.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/random.h"

#define BOOT_ID_VARIABLE "DRIFTD_BOOT_ID"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define DIGITS 32
#define STANDS_IN "unknown-"

/* The digits of a UUID, with hyphens or without: the kernel writes them, and the service manager does not. */
static bool digits_of(const char *text, char out[BOOT_ID_MAX])
{
    size_t count = 0;
    for (; *text && *text != '\n'; text++) {
        if (*text == '-')
            continue;
        if (count == DIGITS || !strchr("0123456789abcdef", *text))
            return false;
        out[count++] = *text;
    }
    out[count] = '\0';
    return count == DIGITS;
}

static bool read_file(char out[BOOT_ID_MAX])
{
    char text[BOOT_ID_MAX];
    const int fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    return digits_of(text, out);
}

int boot_id(char out[BOOT_ID_MAX])
{
    const char *told = getenv(BOOT_ID_VARIABLE);
    uint64_t name;
    if (read_file(out) || (told && digits_of(told, out)))
        return 0;
    const int rc = random_bytes(&name, sizeof name);
    if (rc == 0)
        snprintf(out, BOOT_ID_MAX, STANDS_IN "%016llx", (unsigned long long)name);
    return rc;
}

bool boot_id_is_random(const char *id)
{
    return strncmp(id, STANDS_IN, sizeof STANDS_IN - 1) == 0;
}
