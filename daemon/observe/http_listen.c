/* Where the HTTP station listens, and under which names. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/observe/http_listen.h"

#define BACKLOG 64

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The configuration has checked the form: "*", "localhost", an address, or one in brackets. */
static int parse(const char *listen_at, union address *out, socklen_t *bytes_p)
{
    char host[128];
    const char *colon = strrchr(listen_at, ':');
    if (!colon || (size_t)(colon - listen_at) >= sizeof host)
        return -EINVAL;
    unsigned short port = (unsigned short)strtoul(colon + 1, NULL, 10);
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen_at), listen_at);
    memset(out, 0, sizeof *out);
    if (host[0] == '[') {
        host[strcspn(host, "]%")] = '\0';
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        *bytes_p = sizeof out->v6;
        return inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) == 1 ? 0 : -EINVAL;
    }
    const char *numbers = strcmp(host, "*") == 0 ? "0.0.0.0" : strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(port);
    *bytes_p = sizeof out->v4;
    return inet_pton(AF_INET, numbers, &out->v4.sin_addr) == 1 ? 0 : -EINVAL;
}

static void describe(const union address *address, char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text);
        snprintf(out, size, "[%s]:%u", text, ntohs(address->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof text);
        snprintf(out, size, "%s:%u", text, ntohs(address->v4.sin_port));
    }
}

int http_listen(const char *listen_at, char *address_text, size_t size, char why[ENDPOINT_WHY_MAX])
{
    union address address;
    socklen_t bytes;
    int yes = 1, rc = parse(listen_at, &address, &bytes);
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
    describe(&address, address_text, size);
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
