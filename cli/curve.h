/* curve.h - the client's side of CURVE: a certificate of one's own, and the server's public key.
 *
 * Threads: one. Memory: a value; wipe it when it is used no more. Failure: a sentence is said, and the exit status
 * returned.
 */
#ifndef DRIFT_CLI_CURVE_H
#define DRIFT_CLI_CURVE_H

#include <stdbool.h>

#define CURVE_KEY_LEN 40 /* Z85 */

struct curve {
    bool on;
    char server[CURVE_KEY_LEN + 1], public_key[CURVE_KEY_LEN + 1], secret[CURVE_KEY_LEN + 1];
};

#define CURVE_OPTIONS(server_key, cert)                                                                                \
    {"server-key", server_key, "KEY", 0, "The server's public key, or a file that holds it", 0},                       \
        {"cert", cert, "FILE", 0, "The certificate of one's own, as `driftc keygen` makes it", 0}

/* Reads what the options say; both NULL: no CURVE. 0, EX_USAGE or EX_NOINPUT. */
int curve_read(struct curve *out, const char *server_key, const char *cert);

/* To a socket, before it connects; nothing without CURVE. */
void curve_apply(void *socket, const struct curve *self);

/* The value of `name` ("public-key") in a certificate's text; false: it is not there, or no key. */
bool curve_value(const char *text, const char *name, char out[CURVE_KEY_LEN + 1]);

#endif
