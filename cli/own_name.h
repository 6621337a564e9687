/* own_name.h - what this program calls itself to the daemon, as a node or a trainer.
 *
 * Threads: any. Memory: none. Failure: a text that says what a name has to be.
 */
#ifndef DRIFT_CLI_OWN_NAME_H
#define DRIFT_CLI_OWN_NAME_H

#define OWN_NAME_MAX 128 /* bytes */

/* Takes a name from the command line into `name`, of OWN_NAME_MAX + 1 bytes. NULL: taken. */
const char *own_name_take(char *name, const char *value);

/* This host's name, cut where it is very long. */
const char *own_name_host(void);

#endif
