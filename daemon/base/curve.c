#include "daemon/base/curve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ENFORCE_DOMAIN 93 /* ZMQ_ZAP_ENFORCE_DOMAIN, of libzmq's draft options */

int curve_serve(zsock_t *socket, const struct curve_server *self, const char *domain, char why[CURVE_WHY_MAX])
{
    const int yes = 1;
    const struct {
        int option;
        const void *value;
        size_t size;
        const char *name;
    } settings[] = {{ZMQ_ZAP_DOMAIN, domain, strlen(domain), "ZAP_DOMAIN"},
                    {ENFORCE_DOMAIN, &yes, sizeof yes, "ZAP_ENFORCE_DOMAIN"},
                    {ZMQ_CURVE_SERVER, &yes, sizeof yes, "CURVE_SERVER"},
                    {ZMQ_CURVE_SECRETKEY, self ? self->secret : NULL, CURVE_KEY_LEN + 1, "CURVE_SECRETKEY"}};
    /* Without CURVE the domain is there for what libzmq does where there is one: whoever does not begin as ZMTP 3 is ended,
     * and not taken for a peer of ZMTP 1, be it an HTTP client that jobs would be sent to. Nobody answers ZAP then. */
    const size_t count = self ? sizeof settings / sizeof *settings : 1;
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(zsock_resolve(socket), settings[i].option, settings[i].value, settings[i].size) == 0)
            continue;
        int error = zmq_errno();
        snprintf(why, CURVE_WHY_MAX, "%s: libzmq refuses %s: %s; without it nobody could be kept out", domain,
                 settings[i].name, zmq_strerror(error));
        return -error;
    }
    return 0;
}

const char *curve_sender(zmq_msg_t *message)
{
    return zmq_msg_gets(message, "User-Id");
}
