/* address.h - an address of numbers and a port, as text and as sockets take it.
 *
 * Threads: any; address_parse() and address_describe() are pure functions. Memory: none.
 */
#ifndef DRIFTD_BASE_ADDRESS_H
#define DRIFTD_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX (INET6_ADDRSTRLEN + sizeof "[]:65535")

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Reads host:port. The host is an IPv4 address, an IPv6 address in brackets, with its zone if it has one, `localhost`
 * (127.0.0.1) or `*` (every interface, IPv4); the port is a number, 0 or `*` for any that is free. *bytes_p: how much
 * of `out` is used. Returns 0; -EINVAL: something else, such as a name; -ENODEV: there is no interface of that zone. */
int address_parse(const char *text, union address *out, socklen_t *bytes_p);

/* host:port, an IPv6 address in brackets; a zone is left out. */
void address_describe(const union address *address, char out[ADDRESS_TEXT_MAX]);

/* Who is at the other end of a connection: host:port, or "pid:N" of a Unix socket's; "" where it cannot be had. */
void address_of_peer(int fd, char out[ADDRESS_TEXT_MAX]);

#endif
