#include "daemon/base/doors.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* libzmq closes a listener in a thread of its own, usually within a millisecond. */
#define AGAIN_MS 1
#define AGAIN_MAX 2000
#define PART_LOOKS 20

struct door {
    char *wanted;
    char actual[ENDPOINT_MAX]; /* "" before it was bound for the first time */
    struct curve_server curve;
    bool with_curve, bound;
    bool plain; /* bound, and not to the socket */
    bool taken; /* by the door that comes after it */
};

struct row {
    struct door *at;
    uint32_t count;
};

struct doors {
    const char *key, *domain;
    struct doors_plain plain;
    struct row row; /* changed by the socket's thread alone, under the mutex */
    pthread_mutex_t mutex;
};

static void row_free(struct row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        free(row->at[i].wanted);
        explicit_bzero(&row->at[i].curve, sizeof row->at[i].curve);
    }
    free(row->at);
    *row = (struct row){.at = NULL};
}

static int row_make(struct row *row, const struct doors_wish *wish)
{
    uint32_t room = 1;
    for (int s = 0; s < DOORS_SETS; s++)
        room += wish->sets[s].count;
    *row = (struct row){.at = calloc(room, sizeof *row->at)};
    if (!row->at)
        return -ENOMEM;
    for (int s = 0; s < DOORS_SETS; s++) {
        const struct doors_set *set = &wish->sets[s];
        for (uint32_t i = 0; i < set->count; i++) {
            struct door *door = &row->at[row->count];
            door->wanted = strdup(set->bind[i]);
            if (!door->wanted) {
                row_free(row);
                return -ENOMEM;
            }
            door->with_curve = set->curve != NULL;
            if (set->curve)
                door->curve = *set->curve;
            row->count++;
        }
    }
    return 0;
}

static bool same_key(const struct door *a, const struct door *b)
{
    return a->with_curve == b->with_curve && (!a->with_curve || strcmp(a->curve.secret, b->curve.secret) == 0);
}

/* The door of `row` that was wanted by the same text and is not taken yet. */
static struct door *counterpart(struct row *row, const struct door *door)
{
    for (uint32_t i = 0; i < row->count; i++) {
        if (!row->at[i].taken && strcmp(row->at[i].wanted, door->wanted) == 0)
            return &row->at[i];
    }
    return NULL;
}

/* What stays goes over into `next`, bound as it is; the rest is given up. Whether there was anything to give up. */
static bool give_up(struct doors *self, zsock_t *socket, struct row *next, bool cut)
{
    struct row *row = &self->row;
    bool gave = false;
    for (uint32_t i = 0; i < next->count; i++) {
        struct door *door = &next->at[i], *was = counterpart(row, door);
        if (!was)
            continue;
        memcpy(door->actual, was->actual, sizeof door->actual);
        door->bound = was->bound && !cut && same_key(was, door);
        door->plain = was->plain;
        was->bound = was->bound && !door->bound;
        was->taken = true;
    }
    for (uint32_t i = 0; i < row->count; i++) {
        if (row->at[i].bound && row->at[i].plain)
            self->plain.shut(self->plain.argument, row->at[i].actual);
        else if (row->at[i].bound)
            endpoint_unbind(socket, row->at[i].actual);
        gave = gave || row->at[i].bound;
        row->at[i].bound = false;
    }
    return gave;
}

/* The port that stands for "*" stays; a Unix socket's path that does goes with its folder. */
static const char *endpoint_of(const struct door *door)
{
    return *door->actual && strncmp(door->actual, "tcp://", 6) == 0 ? door->actual : door->wanted;
}

static int bind_now(struct doors *self, zsock_t *socket, const struct door *door, char actual[ENDPOINT_MAX],
                    char why[ENDPOINT_WHY_MAX])
{
    return door->plain ? self->plain.open(self->plain.argument, self->key, endpoint_of(door), actual, why)
                       : endpoint_bind(socket, self->key, endpoint_of(door), actual, why);
}

static int bind_one(struct doors *self, zsock_t *socket, struct door *door, bool patient, char why[ENDPOINT_WHY_MAX])
{
    char actual[ENDPOINT_MAX];
    int rc = 0, tries = 0;
    door->plain = self->plain.open && !door->with_curve && endpoint_is_plain(door->wanted);
    if (!door->plain)
        rc = curve_serve(socket, door->with_curve ? &door->curve : NULL, self->domain, why);
    if (rc < 0)
        return rc;
    while ((rc = bind_now(self, socket, door, actual, why)) == -EADDRINUSE && patient && tries++ < AGAIN_MAX)
        zclock_sleep(AGAIN_MS);
    if (rc == 0)
        memcpy(door->actual, actual, sizeof actual);
    door->bound = rc == 0;
    return rc;
}

void doors_name_of(struct doors_name *out, const char *project, const char *kind)
{
    snprintf(out->key, sizeof out->key, "projects.%s.%s", project, kind);
    snprintf(out->domain, sizeof out->domain, "%s/%s", kind, project);
}

void doors_letter_back(struct doors_letter *letter)
{
    while (inbox_put(letter->reply_to, (struct letter){.kind = LETTER_RENEWED}) < 0)
        ; /* a few bytes, which somebody is about to give back */
}

/* A connection ends in steps between libzmq's thread and this one, which takes its share only when the socket is asked
 * for something. Until the last step a PUSH or PUB could still choose the one who is to go. */
static void part(zsock_t *socket)
{
    for (int i = 0; i < PART_LOOKS; i++) {
        zsock_events(socket);
        zclock_sleep(AGAIN_MS);
    }
}

int doors_new(struct doors **self_p, const char *key, const char *domain)
{
    struct doors *self = calloc(1, sizeof *self);
    *self_p = self;
    if (!self)
        return -ENOMEM;
    self->key = key;
    self->domain = domain;
    pthread_mutex_init(&self->mutex, NULL);
    return 0;
}

void doors_set_plain(struct doors *self, const struct doors_plain *plain)
{
    self->plain = *plain;
}

bool doors_any_of_socket(const struct doors *self)
{
    for (uint32_t i = 0; i < self->row.count; i++) {
        if (self->row.at[i].bound && !self->row.at[i].plain)
            return true;
    }
    return false;
}

int doors_open(struct doors *self, zsock_t *socket, const struct doors_wish *wish, char why[ENDPOINT_WHY_MAX])
{
    struct row next;
    char sentence[ENDPOINT_WHY_MAX];
    int first = row_make(&next, wish);
    if (first < 0) {
        snprintf(why, ENDPOINT_WHY_MAX, "%s: no memory for the endpoints", self->key);
        return first;
    }
    pthread_mutex_lock(&self->mutex);
    bool gave = give_up(self, socket, &next, wish->cut);
    pthread_mutex_unlock(&self->mutex);
    for (uint32_t i = 0; i < next.count; i++) {
        int rc = next.at[i].bound ? 0 : bind_one(self, socket, &next.at[i], gave, sentence);
        if (rc < 0 && first == 0) {
            first = rc;
            memcpy(why, sentence, sizeof sentence);
        }
    }
    pthread_mutex_lock(&self->mutex);
    struct row before = self->row;
    self->row = next;
    pthread_mutex_unlock(&self->mutex);
    row_free(&before);
    if (gave)
        part(socket);
    return first;
}

void doors_shut(struct doors *self, zsock_t *socket)
{
    struct row none = {.at = NULL};
    pthread_mutex_lock(&self->mutex);
    give_up(self, socket, &none, false);
    struct row before = self->row;
    self->row = none;
    pthread_mutex_unlock(&self->mutex);
    row_free(&before);
}

bool doors_endpoint(struct doors *self, uint32_t n, char out[ENDPOINT_MAX])
{
    bool found = false;
    pthread_mutex_lock(&self->mutex);
    for (uint32_t i = 0; i < self->row.count && !found; i++) {
        if (!self->row.at[i].bound || n-- > 0)
            continue;
        memcpy(out, self->row.at[i].actual, ENDPOINT_MAX);
        found = true;
    }
    pthread_mutex_unlock(&self->mutex);
    return found;
}

void doors_destroy(struct doors **self_p)
{
    struct doors *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    row_free(&self->row);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}
