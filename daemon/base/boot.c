#include "daemon/base/boot.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/random.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

int boot_id(char out[BOOT_ID_MAX])
{
    int fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, out, BOOT_ID_MAX - 1);
    if (fd >= 0)
        close(fd);
    if (got > 1) {
        out[got] = '\0';
        out[strcspn(out, "\n")] = '\0';
        return 0;
    }
    uint64_t name;
    int rc = random_bytes(&name, sizeof name);
    if (rc == 0)
        snprintf(out, BOOT_ID_MAX, "unknown-%016llx", (unsigned long long)name);
    return rc;
}
