#include "cli/connect.h"

#include <string.h>
#include <zmq.h>

/* With this option names would be looked up as IPv6 as well, where most who listen do so on IPv4 alone. */
int connect_to(void *socket, const char *endpoint)
{
    int v6 = strchr(endpoint, '[') != NULL;
    zmq_setsockopt(socket, ZMQ_IPV6, &v6, sizeof v6);
    return zmq_connect(socket, endpoint);
}
