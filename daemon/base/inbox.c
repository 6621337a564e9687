#include "daemon/base/inbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct node {
    struct letter letter;
    struct node *next;
};

/* Invariant, whenever the mutex is free: the eventfd is readable exactly while `first` is not NULL. */
struct inbox {
    pthread_mutex_t mutex;
    struct node *first, *last;
    size_t count;
    int fd;
};

int inbox_new(struct inbox **self_p)
{
    *self_p = NULL;
    struct inbox *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->fd < 0) {
        int error = errno;
        free(self);
        return -error;
    }
    pthread_mutex_init(&self->mutex, NULL);
    *self_p = self;
    return 0;
}

/* An eventfd's write fails only past 2^64-2 and its read only when it is 0: neither can happen under the invariant. */
static void raise_flag(const struct inbox *self)
{
    int rc = eventfd_write(self->fd, 1);
    assert(rc == 0);
    (void)rc;
}

static void lower_flag(const struct inbox *self)
{
    eventfd_t ignored;
    int rc = eventfd_read(self->fd, &ignored);
    assert(rc == 0);
    (void)rc;
}

int inbox_put(struct inbox *self, struct letter letter)
{
    struct node *node = malloc(sizeof *node);
    if (!node)
        return -ENOMEM;
    *node = (struct node){.letter = letter};
    pthread_mutex_lock(&self->mutex);
    if (self->last) {
        self->last->next = node;
    } else {
        self->first = node;
        raise_flag(self);
    }
    self->last = node;
    self->count++;
    pthread_mutex_unlock(&self->mutex);
    return 0;
}

bool inbox_take(struct inbox *self, struct letter *out)
{
    pthread_mutex_lock(&self->mutex);
    struct node *node = self->first;
    if (node) {
        self->first = node->next;
        self->count--;
        if (!self->first) {
            self->last = NULL;
            lower_flag(self);
        }
    }
    pthread_mutex_unlock(&self->mutex);
    if (!node)
        return false;
    *out = node->letter;
    free(node);
    return true;
}

int inbox_fd(const struct inbox *self)
{
    return self->fd;
}

size_t inbox_count(struct inbox *self)
{
    pthread_mutex_lock(&self->mutex);
    size_t count = self->count;
    pthread_mutex_unlock(&self->mutex);
    return count;
}

void inbox_destroy(struct inbox **self_p)
{
    struct inbox *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    struct letter letter;
    while (inbox_take(self, &letter)) {
        if (letter.drop)
            letter.drop(letter.body);
    }
    close(self->fd);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

void question_drop(void *question)
{
    struct question *self = question;
    if (!self)
        return;
    free(self->ask);
    free(self->answer);
    free(self);
}

struct cloud_event *cloud_event_new(const char *type, const char *subject, bool of_model, const char *json,
                                    size_t bytes)
{
    size_t before = strlen(type), behind = subject ? 1 + strlen(subject) : 0;
    struct cloud_event *self = json ? malloc(sizeof *self + before + behind + 1 + bytes + 1) : NULL;
    if (!self)
        return NULL;
    char *at = self->topic;
    memcpy(at, type, before + 1);
    if (subject) {
        at[before] = '/';
        memcpy(at + before + 1, subject, behind);
    }
    at += before + behind + 1;
    memcpy(at, json, bytes);
    at[bytes] = '\0';
    self->json = at;
    self->of_model = of_model;
    return self;
}

void cloud_event_drop(void *cloud_event)
{
    free(cloud_event);
}

void tape_drop(void *tape)
{
    struct tape *self = tape;
    if (!self)
        return;
    free(self->text);
    free(self);
}
