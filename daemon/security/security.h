/* security.h - the station at the door: answers libzmq's ZAP requests (RFC 27) from the table of clients.
 *
 * It binds inproc://zeromq.zap.01 and decides each CURVE handshake: the key must be in the table, and have the role
 * that the socket's ZAP domain asks for. Who is let in is known by his key from then on (User-Id), so that every
 * message can be asked for again. Who is not gets status 300, which tells him nothing and lets him try again: a key
 * that is added later heals by itself.
 *
 * Domains: "metrics" wants a node, "jobs" and "feedback" a trainer, "events" an observer; any other lets nobody in.
 * "jobs" and "events" want one for all projects; "jobs/shop" and "events/shop" one for the project shop, be it among
 * others.
 *
 * Fail closed: before security_start(), after security_stop() and when the thread hangs no handshake succeeds
 * (curve.h).
 *
 * Threads: security_heart(), security_counts() by any; the rest by the engine. Memory: the keyring must outlive the
 * station. Failure: security_start() answers a negative error with a sentence.
 */
#ifndef DRIFTD_SECURITY_SECURITY_H
#define DRIFTD_SECURITY_SECURITY_H

#include <stdint.h>

#include "daemon/base/curve.h"
#include "daemon/base/heart.h"
#include "daemon/base/keyring.h"

struct security;

struct security_counts {
    uint64_t accepted, unknown, wrong_role /* or project */, malformed; /* handshakes */
};

/* Before any socket of CURVE is bound. */
int security_start(struct security **self_p, struct keyring *keyring, char why[CURVE_WHY_MAX]);
const struct heart *security_heart(const struct security *self);
struct security_counts security_counts(const struct security *self);
void security_stop(struct security **self_p);

/* Reads the server's secret key: a certificate as `driftc keygen` writes it, or the 40 characters alone. The file must be
 * regular, belong to this user or to root, and be closed to everybody else. 0, or a negative error and a sentence. */
int security_read_key(struct curve_server *out, const char *path, char why[CURVE_WHY_MAX]);

/* Whether nobody else may change the file that says who may speak. 0, or a negative error and a sentence. */
int security_check_clients(const char *path, char why[CURVE_WHY_MAX]);

#endif
