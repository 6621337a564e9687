#include "daemon/base/notify.h"

#include <systemd/sd-daemon.h>
#include <time.h>

void notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
               (unsigned long long)now.tv_sec * 1000000u + (unsigned long long)now.tv_nsec / 1000u);
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void notify_status(const char *sentence)
{
    sd_notifyf(0, "STATUS=%s", sentence);
}

int64_t notify_watchdog_ns(void)
{
    uint64_t usec = 0;
    if (sd_watchdog_enabled(0, &usec) <= 0 || usec > INT64_MAX / 1000)
        return 0;
    return (int64_t)usec * 1000;
}

void notify_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}
