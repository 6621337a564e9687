#include "daemon/base/keyring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Sorted by key. */
struct keyring_table {
    uint32_t users; /* guarded by the ring's mutex */
    uint32_t count;
    struct keyring_entry *at;
};

struct keyring {
    pthread_mutex_t mutex;
    struct keyring_table *table;
    atomic_uint_fast64_t generation;
};

static void table_free(struct keyring_table *self)
{
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++) {
        for (uint32_t k = 0; k < self->at[i].project_count; k++)
            free((char *)self->at[i].projects[k]);
        free((void *)self->at[i].projects);
        free((char *)self->at[i].name);
    }
    free(self->at);
    free(self);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct keyring_entry *)a)->key, ((const struct keyring_entry *)b)->key);
}

/* What was copied so far is in *to when it fails. */
static int entry_copy(struct keyring_entry *to, const struct keyring_entry *from)
{
    memcpy(to->key, from->key, sizeof to->key);
    to->role = from->role;
    to->name = strdup(from->name ? from->name : "");
    char **projects = calloc(from->project_count + 1, sizeof *projects);
    to->projects = (const char *const *)projects;
    if (!to->name || !projects)
        return -ENOMEM;
    for (; to->project_count < from->project_count; to->project_count++) {
        projects[to->project_count] = strdup(from->projects[to->project_count]);
        if (!projects[to->project_count])
            return -ENOMEM;
    }
    return 0;
}

static struct keyring_table *table_new(const struct keyring_entry *entries, uint32_t count)
{
    struct keyring_table *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->users = 1;
    self->at = calloc(count + 1u, sizeof *self->at);
    int rc = self->at ? 0 : -ENOMEM;
    while (rc == 0 && self->count < count) {
        rc = entry_copy(&self->at[self->count], &entries[self->count]);
        self->count++;
    }
    if (rc < 0) {
        table_free(self);
        return NULL;
    }
    qsort(self->at, self->count, sizeof *self->at, compare);
    return self;
}

static const struct keyring_entry *find(const struct keyring_table *table, const char *key)
{
    struct keyring_entry wanted = {.role = KEYRING_NODE};
    if (strlen(key) != KEYRING_KEY_LEN)
        return NULL;
    memcpy(wanted.key, key, sizeof wanted.key);
    return bsearch(&wanted, table->at, table->count, sizeof *table->at, compare);
}

int keyring_new(struct keyring **self_p)
{
    *self_p = NULL;
    struct keyring *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->table = table_new(NULL, 0);
    if (!self->table) {
        free(self);
        return -ENOMEM;
    }
    pthread_mutex_init(&self->mutex, NULL);
    atomic_init(&self->generation, 1);
    *self_p = self;
    return 0;
}

/* With the mutex held. */
static void let_go(struct keyring_table *table)
{
    if (table && --table->users == 0)
        table_free(table);
}

static bool enters(const struct keyring_entry *entry, const struct keyring_socket *socket)
{
    return keyring_enters(entry, socket->role, socket->project, socket->project ? strlen(socket->project) : 0);
}

static void compare_tables(const struct keyring_table *before, const struct keyring_table *after,
                           struct keyring_socket *sockets, uint32_t count)
{
    for (uint32_t s = 0; s < count; s++)
        sockets[s].revoked = false;
    for (uint32_t i = 0; count && i < before->count; i++) {
        const struct keyring_entry *was = &before->at[i], *is = find(after, was->key);
        for (uint32_t s = 0; s < count; s++)
            sockets[s].revoked = sockets[s].revoked || (enters(was, &sockets[s]) && !enters(is, &sockets[s]));
    }
}

int keyring_replace(struct keyring *self, const struct keyring_entry *entries, uint32_t count,
                    struct keyring_socket *sockets, uint32_t socket_count)
{
    struct keyring_table *table = table_new(entries, count);
    if (!table)
        return -ENOMEM;
    pthread_mutex_lock(&self->mutex);
    struct keyring_table *before = self->table;
    compare_tables(before, table, sockets, socket_count);
    self->table = table;
    atomic_fetch_add(&self->generation, 1);
    let_go(before);
    pthread_mutex_unlock(&self->mutex);
    return 0;
}

uint32_t keyring_count(struct keyring *self)
{
    pthread_mutex_lock(&self->mutex);
    uint32_t count = self->table->count;
    pthread_mutex_unlock(&self->mutex);
    return count;
}

void keyring_destroy(struct keyring **self_p)
{
    struct keyring *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    let_go(self->table);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

void keyring_open(struct keyring_reader *reader, struct keyring *ring)
{
    *reader = (struct keyring_reader){.ring = ring};
}

void keyring_close(struct keyring_reader *reader)
{
    if (!reader->ring)
        return;
    pthread_mutex_lock(&reader->ring->mutex);
    let_go(reader->table);
    pthread_mutex_unlock(&reader->ring->mutex);
    *reader = (struct keyring_reader){.ring = NULL};
}

/* The generation is read before the table: one that is replaced in between is looked for again the next time. */
static void renew(struct keyring_reader *reader)
{
    uint64_t generation = atomic_load_explicit(&reader->ring->generation, memory_order_acquire);
    if (generation == reader->generation)
        return;
    pthread_mutex_lock(&reader->ring->mutex);
    let_go(reader->table);
    reader->table = reader->ring->table;
    reader->table->users++;
    pthread_mutex_unlock(&reader->ring->mutex);
    reader->generation = generation;
}

const struct keyring_entry *keyring_find(struct keyring_reader *reader, const char *key)
{
    renew(reader);
    return key ? find(reader->table, key) : NULL;
}

bool keyring_may(const struct keyring_entry *entry, enum keyring_role role, const char *project, size_t len)
{
    if (!entry || entry->role != role)
        return false;
    if (entry->project_count == 0)
        return true;
    for (uint32_t i = 0; i < entry->project_count; i++) {
        if (strlen(entry->projects[i]) == len && memcmp(entry->projects[i], project, len) == 0)
            return true;
    }
    return false;
}

bool keyring_enters(const struct keyring_entry *entry, enum keyring_role role, const char *project, size_t len)
{
    if (project)
        return keyring_may(entry, role, project, len);
    return entry && entry->role == role && entry->project_count == 0;
}
