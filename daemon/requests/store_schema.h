/* store_schema.h - the version of the store's schema and the steps that lead to it.
 *
 * Threads, memory, failure: constants.
 */
#ifndef DRIFTD_REQUESTS_STORE_SCHEMA_H
#define DRIFTD_REQUESTS_STORE_SCHEMA_H

#define STORE_APPLICATION_ID 0x64726674 /* "drft" */
#define STORE_VERSION 9

/* store_steps[n] brings a store of version n to version n + 1; version 0 is empty. */
extern const char *const store_steps[STORE_VERSION];

#endif
