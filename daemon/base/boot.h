/* boot.h - the name of this boot of the machine: whose steady clock a moment on disk is of.
 *
 * The kernel names it in /proc/sys, which a unit with ProcSubset=pid does not see: there the service manager tells it, in
 * the variable DRIFTD_BOOT_ID.
 *
 * Threads: any, while nobody changes the environment. Memory: the caller's. Failure: where nobody names it, a random name
 * stands in, so that the steady clock is taken to be new and times go by the wall clock; without random bytes their error.
 */
#ifndef DRIFTD_BASE_BOOT_H
#define DRIFTD_BASE_BOOT_H

#include <stdbool.h>

#define BOOT_ID_MAX 64 /* bytes, with its NUL */

int boot_id(char out[BOOT_ID_MAX]);

/* Whether it is one that stands in. */
bool boot_id_is_random(const char *id);

#endif
