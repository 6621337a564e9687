#include "lib/config/endpoint.h"

#include <arpa/inet.h>

#define IPC_PATH_BYTES_MAX 107    /* sun_path of unix(7), less its NUL */
#define INPROC_NAME_BYTES_MAX 255 /* zmq_inproc(7) */
#define HOST_BYTES_MAX 255

/* Takes `prefix` off; false where it is not there. */
static bool take_prefix(struct text *text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (text->len < len || memcmp(text->at, prefix, len) != 0)
        return false;
    text->at += len;
    text->len -= len;
    return true;
}

static bool all_of(struct text text, const char *characters)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == '\0' || !strchr(characters, text.at[i]))
            return false;
    return true;
}

static const char *check_port(struct text port, enum endpoint_use use)
{
    if (text_is(port, "*"))
        return use == ENDPOINT_CONNECT ? "the port '*' only serves to bind; write the port of the other side" : NULL;
    unsigned value = 0;
    if (port.len == 0 || port.len > 5 || !all_of(port, "0123456789"))
        return "the port must be 1 to 65535";
    for (size_t i = 0; i < port.len; i++)
        value = value * 10 + (unsigned)(port.at[i] - '0');
    return value >= 1 && value <= 65535 ? NULL : "the port must be 1 to 65535";
}

/* "[::1]", however it is written, with a zone or without; and 127.0.0.0/8 as IPv6 has it. */
static bool is_loopback_v6(struct text host)
{
    static const unsigned char one[16] = {[15] = 1}, mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    unsigned char address[16];
    char text[INET6_ADDRSTRLEN];
    const size_t len = host.len >= 2 ? host.len - 2 : 0; /* less the brackets */
    const char *zone = len ? memchr(host.at, '%', host.len) : NULL;
    const size_t digits = zone ? (size_t)(zone - host.at) - 1 : len;
    if (len == 0 || host.at[0] != '[' || host.at[host.len - 1] != ']' || digits >= sizeof text)
        return false;
    memcpy(text, host.at + 1, digits);
    text[digits] = '\0';
    return inet_pton(AF_INET6, text, address) == 1 &&
           (memcmp(address, one, sizeof one) == 0 || memcmp(address, mapped, sizeof mapped) == 0);
}

static bool is_loopback(struct text host)
{
    return text_is(host, "localhost") || is_loopback_v6(host) ||
           (take_prefix(&host, "127.") && all_of(host, "0123456789."));
}

static const char *check_host(struct text host, enum endpoint_use use)
{
    static const char hexadecimal[] = "0123456789abcdefABCDEF:.";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (host.len == 0)
        return "the host is missing";
    if (host.len > HOST_BYTES_MAX)
        return "the host is longer than 255 bytes";
    if (text_is(host, "*")) {
        if (use == ENDPOINT_BIND)
            return NULL;
        if (use == ENDPOINT_CONNECT)
            return "the host '*' only serves to bind; write the host of the other side";
    } else if (host.at[0] == '[') {
        struct text address = {.at = host.at + 1, .len = host.len - 1};
        const char *zone = memchr(address.at, '%', address.len);
        if (address.len < 2 || address.at[address.len - 1] != ']')
            return "an IPv6 address stands in brackets, as in tcp://[::1]:5570";
        struct text digits = {.at = address.at, .len = zone ? (size_t)(zone - address.at) : address.len - 1};
        struct text name = {.at = zone ? zone + 1 : NULL, .len = zone ? address.len - digits.len - 2 : 0};
        if (digits.len < 2 || !all_of(digits, hexadecimal) || (zone && (name.len == 0 || !all_of(name, letters))))
            return "this is no IPv6 address";
    } else if (!all_of(host, letters)) {
        return "the host must be a name, an address, or '*' to bind every interface; an IPv6 address stands in "
               "brackets";
    }
    if (use == ENDPOINT_CONTROL && !is_loopback(host))
        return "whoever reaches this socket may command: use ipc://path, or tcp:// on 127.0.0.1";
    return NULL;
}

static const char *check_tcp(struct text rest, enum endpoint_use use)
{
    size_t colon = rest.len;
    while (colon > 0 && rest.at[colon - 1] != ':')
        colon--;
    if (colon == 0 || rest.at[rest.len - 1] == ']')
        return "the port is missing, as in tcp://127.0.0.1:5570";
    const char *wrong = check_host((struct text){.at = rest.at, .len = colon - 1}, use);
    return wrong ? wrong : check_port((struct text){.at = rest.at + colon, .len = rest.len - colon}, use);
}

const char *endpoint_check(struct text endpoint, enum endpoint_use use)
{
    for (size_t i = 0; i < endpoint.len; i++)
        if ((unsigned char)endpoint.at[i] < 0x20 || endpoint.at[i] == 0x7f)
            return "a control character";
    if (take_prefix(&endpoint, "tcp://"))
        return check_tcp(endpoint, use);
    if (take_prefix(&endpoint, "ipc://")) {
        if (endpoint.len == 0 || text_is(endpoint, "@"))
            return "the path is missing, as in ipc:///run/driftd/control.sock";
        if (use == ENDPOINT_CONNECT && text_is(endpoint, "*"))
            return "the path '*' only serves to bind; write the path of the other side";
        return endpoint.len > IPC_PATH_BYTES_MAX ? "the path is longer than the 107 bytes that a Unix socket can have"
                                                 : NULL;
    }
    if (take_prefix(&endpoint, "inproc://")) {
        if (endpoint.len == 0)
            return "the name is missing, as in inproc://metrics";
        return endpoint.len > INPROC_NAME_BYTES_MAX ? "the name is longer than 255 bytes" : NULL;
    }
    return "not an endpoint";
}

const char *endpoint_listen_check(struct text listen)
{
    size_t colon = listen.len;
    while (colon > 0 && listen.at[colon - 1] != ':')
        colon--;
    if (colon < 2 || listen.at[listen.len - 1] == ']')
        return "the port is missing, as in 127.0.0.1:9570";
    struct text host = {.at = listen.at, .len = colon - 1}, port = {.at = listen.at + colon, .len = listen.len - colon};
    const char *wrong = check_host(host, ENDPOINT_BIND);
    if (wrong)
        return wrong;
    if (host.at[0] != '[' && !text_is(host, "*") && !text_is(host, "localhost") && !all_of(host, "0123456789."))
        return "the host must be an address, localhost, or '*' for every interface";
    if (text_is(port, "0"))
        return NULL;
    return text_is(port, "*") || check_port(port, ENDPOINT_BIND) ? "the port must be 0 to 65535; 0: any that is free" : NULL;
}

static bool looks_like_v6(struct text host)
{
    unsigned colons = 0;
    for (size_t i = 0; i < host.len; i++)
        colons += host.at[i] == ':';
    return colons >= 2 && all_of(host, "0123456789abcdefABCDEF:.");
}

const char *endpoint_name_check(struct text host)
{
    const char *wrong = check_host(host, ENDPOINT_CONNECT);
    if (text_is(host, "*"))
        return "name the hosts one by one: a page elsewhere could else read along";
    if (wrong && looks_like_v6(host))
        return "an IPv6 address stands in brackets, as in [::1]";
    return wrong ? "no host name and no address" : NULL;
}

bool endpoint_is_local(struct text endpoint)
{
    if (!take_prefix(&endpoint, "tcp://"))
        return true;
    return endpoint_listen_is_local(endpoint);
}

bool endpoint_listen_is_local(struct text listen)
{
    while (listen.len > 0 && listen.at[listen.len - 1] != ':')
        listen.len--;
    listen.len -= listen.len > 0;
    return is_loopback(listen);
}

/* Splits "host:port"; `localhost` is its address. */
static void split(struct text at, struct text *host, struct text *port)
{
    size_t colon = at.len;
    while (colon > 0 && at.at[colon - 1] != ':')
        colon--;
    *port = (struct text){.at = at.at + colon, .len = at.len - colon};
    *host = (struct text){.at = at.at, .len = colon > 0 ? colon - 1 : 0};
    if (text_is(*host, "localhost"))
        *host = text_of("127.0.0.1");
}

/* What every IPv4 interface is taken with leaves IPv6 free; `[::]` takes both. */
static bool covers(struct text all, struct text host)
{
    const bool v4 = host.len > 0 && host.at[0] != '[';
    return text_equal(all, host) || text_is(all, "[::]") || (v4 && (text_is(all, "*") || text_is(all, "0.0.0.0")));
}

static bool clash(struct text a, struct text b)
{
    struct text host_a, host_b, port_a, port_b;
    split(a, &host_a, &port_a);
    split(b, &host_b, &port_b);
    if (!text_equal(port_a, port_b) || text_is(port_a, "*") || text_is(port_a, "0"))
        return false;
    return covers(host_a, host_b) || covers(host_b, host_a);
}

bool endpoint_clashes(struct text a, struct text b)
{
    if (take_prefix(&a, "tcp://"))
        return take_prefix(&b, "tcp://") && clash(a, b);
    return a.len > 0 && a.at[a.len - 1] != '*' && text_equal(a, b);
}

bool endpoint_clashes_with_listener(struct text endpoint, struct text listen)
{
    return take_prefix(&endpoint, "tcp://") && clash(endpoint, listen);
}
