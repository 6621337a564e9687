#include "daemon/base/endpoint.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/address.h"

/* What to do about it, for the errors that people meet. */
static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "is taken: another process listens there";
    case ENODEV:
    case EADDRNOTAVAIL:
        return "is not an address of this machine";
    case EACCES:
    case EPERM:
        return "is not permitted to this user";
    case ENOENT:
        return "is in a folder that does not exist";
    case ENAMETOOLONG:
        return "is longer than a Unix socket's path can be (107 bytes)";
    case EINVAL:
    case EPROTONOSUPPORT:
    case ENOCOMPATPROTO:
        return "is no endpoint that can be used here";
    default:
        return zmq_strerror(error);
    }
}

static int refuse(int error, const char *key, const char *endpoint, char why[ENDPOINT_WHY_MAX])
{
    snprintf(why, ENDPOINT_WHY_MAX, "%s: %s %s", key, endpoint, advice(error));
    return error == EPROTONOSUPPORT || error == ENOCOMPATPROTO ? -EINVAL : -error;
}

/* Whether libzmq may replace what stands at a Unix socket's path: 0 when nothing is there or only the socket file of a
 * process that is gone, -EADDRINUSE when somebody listens, -EEXIST when it is no socket. */
static int path_is_free(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof address);
    int error = rc < 0 ? errno : 0;
    close(fd);
    if (error == ECONNREFUSED || error == ENOENT)
        return 0;
    return error == EACCES || error == EPERM ? -error : -EADDRINUSE;
}

/* The file of an ipc:// endpoint; NULL where it has none that we name. */
static const char *path_of(const char *endpoint)
{
    static const char ipc[] = "ipc://";
    const char *path = strncmp(endpoint, ipc, sizeof ipc - 1) == 0 ? endpoint + sizeof ipc - 1 : NULL;
    return path && *path != '@' && *path != '*' ? path : NULL;
}

/* libzmq binds to addresses and interfaces, and asks nobody for a name: the one that everybody writes is put in. */
static const char *with_address(const char *endpoint, char room[ENDPOINT_MAX])
{
    static const char name[] = "tcp://localhost:";
    if (strncmp(endpoint, name, sizeof name - 1) != 0)
        return endpoint;
    snprintf(room, ENDPOINT_MAX, "tcp://127.0.0.1:%s", endpoint + sizeof name - 1);
    return room;
}

/* libzmq takes an IPv6 address with this option only, with which `*` and a name would become IPv6 as well. What is bound
 * or connected keeps what was set then. */
static void meet_address(zsock_t *socket, const char *endpoint)
{
    zsock_set_ipv6(socket, strchr(endpoint, '[') != NULL);
}

/* 0, or nobody may bind there. */
static int check_path(const char *path, const char *key, const char *endpoint, char why[ENDPOINT_WHY_MAX])
{
    int rc = path_is_free(path);
    if (rc == -EEXIST)
        snprintf(why, ENDPOINT_WHY_MAX, "%s: %s is a file that is no socket; it is left alone", key, path);
    return rc == 0 || rc == -EEXIST ? rc : refuse(-rc, key, endpoint, why);
}

int endpoint_bind(zsock_t *socket, const char *key, const char *endpoint, char actual[ENDPOINT_MAX],
                  char why[ENDPOINT_WHY_MAX])
{
    const char *path = path_of(endpoint);
    int rc = path ? check_path(path, key, endpoint, why) : 0;
    if (rc < 0)
        return rc;
    void *handle = zsock_resolve(socket);
    char room[ENDPOINT_MAX];
    meet_address(socket, endpoint);
    if (zmq_bind(handle, with_address(endpoint, room)) < 0)
        return refuse(zmq_errno(), key, endpoint, why);
    size_t size = ENDPOINT_MAX;
    if (zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, actual, &size) < 0)
        snprintf(actual, ENDPOINT_MAX, "%s", endpoint);
    return 0;
}

/* libzmq leaves the file. It goes while we still listen: later it could be another daemon's. */
void endpoint_unbind(zsock_t *socket, const char *actual)
{
    const char *path = path_of(actual);
    if (path)
        unlink(path);
    zmq_unbind(zsock_resolve(socket), actual);
}

int endpoint_connect(zsock_t *socket, const char *key, const char *endpoint, char why[ENDPOINT_WHY_MAX])
{
    meet_address(socket, endpoint);
    if (zmq_connect(zsock_resolve(socket), endpoint) < 0)
        return refuse(zmq_errno(), key, endpoint, why);
    return 0;
}

/* --- without libzmq --- */

#define BACKLOG 512

static int plain_address(const char *endpoint, union address *out, socklen_t *bytes_p)
{
    static const char tcp[] = "tcp://";
    return strncmp(endpoint, tcp, sizeof tcp - 1) == 0 ? address_parse(endpoint + sizeof tcp - 1, out, bytes_p) : -EINVAL;
}

bool endpoint_is_plain(const char *endpoint)
{
    union address address;
    socklen_t bytes;
    return path_of(endpoint) || plain_address(endpoint, &address, &bytes) != -EINVAL;
}

enum { DEAD_PROBES = 2 };

static int probe_every_s(int within_s)
{
    return within_s / (DEAD_PROBES + 2);
}

/* What is set here holds for what is accepted as well. */
static int listen_at(int fd, union address *address, socklen_t bytes, int dead_s)
{
    const int yes = 1, every = probe_every_s(dead_s), idle = dead_s - DEAD_PROBES * every, probes = DEAD_PROBES;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) < 0 ||
        bind(fd, &address->any, bytes) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, &address->any, &bytes) < 0)
        return -errno;
    return 0;
}

static int listen_at_path(int fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path); /* check_path() has seen that it fits */
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    return bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0 ? -errno : 0;
}

static int listen_file(const char *key, const char *endpoint, char actual[ENDPOINT_MAX], char why[ENDPOINT_WHY_MAX])
{
    int rc = check_path(path_of(endpoint), key, endpoint, why);
    if (rc < 0)
        return rc;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    rc = fd < 0 ? -errno : listen_at_path(fd, path_of(endpoint));
    if (rc < 0) {
        if (fd >= 0)
            close(fd);
        return refuse(-rc, key, endpoint, why);
    }
    snprintf(actual, ENDPOINT_MAX, "%s", endpoint);
    return fd;
}

void endpoint_close(int fd, const char *actual)
{
    const char *path = path_of(actual);
    if (path)
        unlink(path);
    close(fd);
}

int endpoint_listen(const char *key, const char *endpoint, int dead_s, char actual[ENDPOINT_MAX],
                    char why[ENDPOINT_WHY_MAX])
{
    union address address;
    socklen_t bytes;
    char host_and_port[ADDRESS_TEXT_MAX];
    if (path_of(endpoint))
        return listen_file(key, endpoint, actual, why);
    int rc = plain_address(endpoint, &address, &bytes);
    if (rc < 0)
        return refuse(-rc, key, endpoint, why);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    rc = fd < 0 ? -errno : listen_at(fd, &address, bytes, dead_s);
    if (rc < 0) {
        if (fd >= 0)
            close(fd);
        return refuse(-rc, key, endpoint, why);
    }
    address_describe(&address, host_and_port);
    snprintf(actual, ENDPOINT_MAX, "tcp://%s", host_and_port);
    return fd;
}

void endpoint_find_dead(zsock_t *socket, int within_s, bool sending)
{
    const int interval_s = probe_every_s(within_s), most_ms = within_s * 1000;
    zsock_set_tcp_keepalive(socket, 1);
    zsock_set_tcp_keepalive_idle(socket, within_s - DEAD_PROBES * interval_s);
    zsock_set_tcp_keepalive_intvl(socket, interval_s);
    zsock_set_tcp_keepalive_cnt(socket, DEAD_PROBES);
    if (sending)
        zmq_setsockopt(zsock_resolve(socket), ZMQ_TCP_MAXRT, &most_ms, sizeof most_ms);
}
