/* boot.h - the name of this boot of the machine: whose steady clock a moment on disk is of.
 *
 * Threads: any. Memory: the caller's. Failure: where the kernel names none, a random name stands in, so that the steady
 * clock is taken to be new and times go by the wall clock; without random bytes their error.
 */
#ifndef DRIFTD_BASE_BOOT_H
#define DRIFTD_BASE_BOOT_H

#define BOOT_ID_MAX 64 /* bytes, with its NUL */

int boot_id(char out[BOOT_ID_MAX]);

#endif
