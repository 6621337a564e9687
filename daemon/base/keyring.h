/* keyring.h - which keys of CURVE may speak, and for what: a table that is replaced whole.
 *
 * A connection outlives the revocation of its key, so whoever takes messages asks here for each. A reader keeps the table
 * it looks at until it finds that there is another one; asking costs a look at a counter and a search among the keys.
 *
 * Threads: keyring_replace() by one thread at a time; a reader belongs to one thread. Memory: entries are copied; what
 * keyring_find() lends is good until the reader's next call. Failure: -ENOMEM, and the table that was stays.
 */
#ifndef DRIFTD_BASE_KEYRING_H
#define DRIFTD_BASE_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYRING_KEY_LEN 40 /* Z85 */

enum keyring_role { KEYRING_NODE, KEYRING_TRAINER, KEYRING_OBSERVER, KEYRING_ROLES };

struct keyring_entry {
    char key[KEYRING_KEY_LEN + 1];
    const char *name;
    enum keyring_role role;
    const char *const *projects;
    uint32_t project_count; /* 0: all */
};

struct keyring;

/* Holds no key. */
int keyring_new(struct keyring **self_p);

/* A socket that cannot choose among its peers: a key may connect to it or not. */
struct keyring_socket {
    enum keyring_role role;
    const char *project; /* NULL: it serves all of them */
    bool revoked;        /* a key that might connect may do so no more */
};

/* Puts another table in place, and says of each socket whether it is revoked. */
int keyring_replace(struct keyring *self, const struct keyring_entry *entries, uint32_t count,
                    struct keyring_socket *sockets, uint32_t socket_count);

uint32_t keyring_count(struct keyring *self);

/* After all readers were closed. */
void keyring_destroy(struct keyring **self_p);

struct keyring_reader {
    struct keyring *ring;
    struct keyring_table *table;
    uint64_t generation;
};

void keyring_open(struct keyring_reader *reader, struct keyring *ring);
void keyring_close(struct keyring_reader *reader);

/* The entry of a key; NULL: it may not speak. `key` may be NULL. */
const struct keyring_entry *keyring_find(struct keyring_reader *reader, const char *key);

/* Whether the entry (NULL: nobody) may speak in this role of this project. */
bool keyring_may(const struct keyring_entry *entry, enum keyring_role role, const char *project, size_t len);

/* Whether it may connect to a socket that serves one project, or (NULL) all of them. */
bool keyring_enters(const struct keyring_entry *entry, enum keyring_role role, const char *project, size_t len);

#endif
