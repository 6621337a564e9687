#include "daemon/base/told.h"

#include <stdbool.h>
#include <string.h>

static bool same_host(const char *host, const char *peer)
{
    const char *port = strrchr(peer, ':');
    const size_t len = port ? (size_t)(port - peer) : strlen(peer);
    return strncmp(host, peer, len) == 0 && (host[len] == ':' || host[len] == '\0');
}

uint64_t told_again(struct told *self, const char peer[ADDRESS_TEXT_MAX], const char *why, int64_t now_ns,
                     int64_t every_ns)
{
    uint32_t i = 0;
    while (i < TOLD_HOSTS && !(self->at[i].why == why && same_host(self->at[i].host, peer)))
        i++;
    const bool known = i < TOLD_HOSTS;
    if (known && now_ns - self->at[i].since_ns < every_ns) {
        self->at[i].times++;
        return 0;
    }
    if (!known) {
        i = self->next++ % TOLD_HOSTS;
        memcpy(self->at[i].host, peer, ADDRESS_TEXT_MAX);
        self->at[i].why = why;
        self->at[i].times = 0;
    }
    const uint64_t times = self->at[i].times + 1;
    self->at[i].since_ns = now_ns;
    self->at[i].times = 0;
    return times;
}
