/* curve.h - makes a socket a CURVE server that lets nobody in without being told to, or one that at least lets in nobody
 * who speaks something older than ZMTP 3.
 *
 * Every handshake is put to whoever answers ZAP in this process. While nobody does, and where nobody answers, it fails:
 * libzmq is told to enforce the domain, by its own option, since czmq's setter does nothing here.
 *
 * Threads: pure functions on the caller's socket. Memory: nothing is kept. Failure: curve_serve() says which option was
 * refused; the socket must not be bound then.
 */
#ifndef DRIFTD_BASE_CURVE_H
#define DRIFTD_BASE_CURVE_H

#include <czmq.h>

#define CURVE_KEY_LEN 40 /* Z85 */
#define CURVE_WHY_MAX 256

struct curve_server {
    char secret[CURVE_KEY_LEN + 1];
};

/* Before the socket is bound or connected. `self` NULL: there is no CURVE. `domain` is what ZAP hears, where it is asked.
 * 0, or a negative error and a sentence. */
int curve_serve(zsock_t *socket, const struct curve_server *self, const char *domain, char why[CURVE_WHY_MAX]);

/* Who sent a message: the key that ZAP answered with. NULL: it came without CURVE. Good as long as the message. */
const char *curve_sender(zmq_msg_t *message);

#endif
