#include "daemon/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 128

static int read_port(const char *text, in_port_t *out)
{
    unsigned number = 0;
    char end;
    if (strcmp(text, "*") != 0 && (sscanf(text, "%5u%c", &number, &end) != 1 || number > UINT16_MAX))
        return -EINVAL;
    *out = htons((uint16_t)number);
    return 0;
}

/* `host` begins with a bracket, and is taken apart. */
static int read_v6(char *host, struct sockaddr_in6 *out)
{
    char *end = strchr(host, ']');
    if (!end || end[1] != '\0')
        return -EINVAL;
    *end = '\0';
    char *zone = strchr(host, '%');
    if (zone) {
        *zone++ = '\0';
        out->sin6_scope_id = if_nametoindex(zone);
        if (out->sin6_scope_id == 0)
            return -ENODEV;
    }
    out->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, host + 1, &out->sin6_addr) == 1 ? 0 : -EINVAL;
}

static int read_v4(const char *host, struct sockaddr_in *out)
{
    const char *numbers = strcmp(host, "*") == 0 ? "0.0.0.0" : strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    out->sin_family = AF_INET;
    return inet_pton(AF_INET, numbers, &out->sin_addr) == 1 ? 0 : -EINVAL;
}

int address_parse(const char *text, union address *out, socklen_t *bytes_p)
{
    char host[HOST_MAX];
    in_port_t port;
    const char *colon = strrchr(text, ':');
    memset(out, 0, sizeof *out);
    if (!colon || (size_t)(colon - text) >= sizeof host || read_port(colon + 1, &port) < 0)
        return -EINVAL;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    const bool v6 = host[0] == '[';
    int rc = v6 ? read_v6(host, &out->v6) : read_v4(host, &out->v4);
    *(v6 ? &out->v6.sin6_port : &out->v4.sin_port) = port;
    *bytes_p = v6 ? sizeof out->v6 : sizeof out->v4;
    return rc;
}

void address_describe(const union address *address, char out[ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(address->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(address->v4.sin_port));
    }
}

void address_of_peer(int fd, char out[ADDRESS_TEXT_MAX])
{
    union address address = {.any = {.sa_family = AF_UNSPEC}};
    struct ucred process;
    socklen_t bytes = sizeof address, process_bytes = sizeof process;
    *out = '\0';
    if (getpeername(fd, &address.any, &bytes) < 0)
        return;
    if (address.any.sa_family == AF_INET || address.any.sa_family == AF_INET6)
        address_describe(&address, out);
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &process, &process_bytes) == 0)
        snprintf(out, ADDRESS_TEXT_MAX, "pid:%ld", (long)process.pid);
}
