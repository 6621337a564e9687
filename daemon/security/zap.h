/* zap.h - one ZAP request (RFC 27), read and decided; no socket, no thread.
 *
 * Threads: the caller's. Memory: nothing is kept. Failure: none: what is malformed is refused with status 500.
 */
#ifndef DRIFTD_SECURITY_ZAP_H
#define DRIFTD_SECURITY_ZAP_H

#include <zmq.h>

#include "daemon/base/keyring.h"

#define ZAP_FRAMES 7 /* version, request id, domain, address, identity, mechanism, key */

enum zap_verdict { ZAP_ACCEPTED, ZAP_UNKNOWN, ZAP_WRONG_ROLE, /* or project */ ZAP_MALFORMED, ZAP_VERDICTS };

struct zap_frame {
    const void *at;
    size_t len;
};

struct zap_decision {
    enum zap_verdict verdict;
    const char *status, *text;       /* of the reply */
    char key[KEYRING_KEY_LEN + 1];   /* the client's; empty when it was malformed */
    const char *name;                /* of a known client, as the reader lends it; NULL: not known */
};

/* `count` frames came, of which the first ZAP_FRAMES are at hand. */
struct zap_decision zap_decide(const struct zap_frame *frames, uint32_t count, struct keyring_reader *reader);

#endif
