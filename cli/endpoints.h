/* endpoints.h - where a client of the daemon's connects: what its options say, else what the daemon says of itself.
 *
 * Threads: one. Memory: endpoints_free() frees what was found. Failure: said on stderr in one sentence; the return value
 * is the exit status of the program.
 */
#ifndef DRIFT_CLI_ENDPOINTS_H
#define DRIFT_CLI_ENDPOINTS_H

#include <stddef.h>

#include "cli/command.h"

struct endpoint {
    const char *name;     /* of the socket, as the daemon's configuration calls it: "metrics" */
    const char *fallback; /* where no daemon answers at its usual place; NULL: that is a failure */
    const char *at;       /* given by an option, or NULL; afterwards where to connect */
    char *found;
};

/* Fills in what no option gave. The daemon is asked at --socket, and has to answer there; without that option at its
 * usual place, where it need not. `role` is what the client's key would have to be, `keys` whether it has one. Returns
 * 0; what control_get() does; EX_USAGE: the daemon asks for keys; EX_UNAVAILABLE: it has no such socket. */
int endpoints_find(struct endpoint *endpoints, size_t count, const struct common *common, const char *role, bool keys);

void endpoints_free(struct endpoint *endpoints, size_t count);

#endif
