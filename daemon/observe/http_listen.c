/* Where the HTTP station listens, and under which names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/base/address.h"
#include "daemon/observe/http_listen.h"

#define BACKLOG 64

int http_listen(const char *listen_at, char *address_text, size_t size, char why[ENDPOINT_WHY_MAX])
{
    union address address;
    char described[ADDRESS_TEXT_MAX];
    socklen_t bytes;
    int yes = 1, rc = address_parse(listen_at, &address, &bytes);
    if (rc < 0) {
        snprintf(why, ENDPOINT_WHY_MAX, "http.listen: %.200s is no address and port", listen_at);
        return rc;
    }
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 || bind(fd, &address.any, bytes) < 0 ||
        listen(fd, BACKLOG) < 0 || getsockname(fd, &address.any, &bytes) < 0) {
        rc = -errno;
        snprintf(why, ENDPOINT_WHY_MAX, "http.listen: %.200s cannot be had: %s", listen_at,
                 rc == -EADDRINUSE ? "another program listens there" : strerror(-rc));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    address_describe(&address, described);
    snprintf(address_text, size, "%s", described);
    return fd;
}

/* The name in front of a port, if there is one; a bracketed address keeps its brackets. */
static size_t name_length(const char *host)
{
    if (*host == '[') {
        const char *end = strchr(host, ']');
        return end ? (size_t)(end - host) + 1 : strlen(host);
    }
    return strcspn(host, ":");
}

bool http_host_allowed(const struct http *self, const char *host)
{
    size_t len = host ? name_length(host) : 0;
    if (len == 0)
        return false;
    for (uint32_t i = 0; i < self->host_count; i++) {
        if (strlen(self->hosts[i]) == len && strncasecmp(self->hosts[i], host, len) == 0)
            return true;
    }
    return false;
}

void http_set_hosts(struct http *self, const char *const *hosts, uint32_t count)
{
    for (uint32_t i = 0; i < count && self->host_count < HTTP_HOSTS_MAX - 1; i++)
        snprintf(self->hosts[self->host_count++], HTTP_NAME_MAX, "%s", hosts[i]);
    /* Nobody can make a number point elsewhere: the address itself is always a good name. */
    snprintf(self->hosts[self->host_count++], HTTP_NAME_MAX, "%.*s", (int)name_length(self->address), self->address);
}
