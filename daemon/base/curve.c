#include "daemon/base/curve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ENFORCE_DOMAIN 93 /* ZMQ_ZAP_ENFORCE_DOMAIN, of libzmq's draft options */

int curve_serve(zsock_t *socket, const struct curve_server *self, const char *domain, char why[CURVE_WHY_MAX])
{
    if (!self)
        return 0;
    const int yes = 1;
    const struct {
        int option;
        const void *value;
        size_t size;
        const char *name;
    } settings[] = {{ZMQ_ZAP_DOMAIN, domain, strlen(domain), "ZAP_DOMAIN"},
                    {ENFORCE_DOMAIN, &yes, sizeof yes, "ZAP_ENFORCE_DOMAIN"},
                    {ZMQ_CURVE_SERVER, &yes, sizeof yes, "CURVE_SERVER"},
                    {ZMQ_CURVE_SECRETKEY, self->secret, CURVE_KEY_LEN + 1, "CURVE_SECRETKEY"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (zmq_setsockopt(zsock_resolve(socket), settings[i].option, settings[i].value, settings[i].size) == 0)
            continue;
        int error = zmq_errno();
        snprintf(why, CURVE_WHY_MAX, "security.curve: libzmq refuses %s: %s; without it nobody could be kept out",
                 settings[i].name, zmq_strerror(error));
        return -error;
    }
    return 0;
}

const char *curve_sender(zmq_msg_t *message)
{
    return zmq_msg_gets(message, "User-Id");
}
