#include "daemon/requests/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/boot.h"
#include "daemon/base/log.h"
#include "daemon/base/random.h"
#include "daemon/requests/core.h"

struct requests {
    struct requests_options options; /* borrowed until the thread is ready */
    struct requests_ports ports;
    struct inbox *inbox;
    struct heart heart;
    pthread_t thread;
    sem_t ready;
    int rc;
    char why[REQUESTS_WHY_MAX];
    uint32_t left;
};

static int begin(struct requests *self, struct core **core_p)
{
    char boot[BOOT_ID_MAX];
    struct siphash_key key;
    int rc = boot_id(boot);
    if (rc == 0 && boot_id_is_random(boot))
        log_warning("this boot of the machine has no name here: a restart is taken for a reboot, and times go by the wall clock; "
                    "a unit with ProcSubset=pid needs Environment=DRIFTD_BOOT_ID=%b");
    if (rc == 0)
        rc = random_bytes(&key, sizeof key);
    if (rc < 0) {
        snprintf(self->why, sizeof self->why, "the kernel gives no random bytes: %s", strerror(-rc));
        return rc;
    }
    rc = core_new(core_p, &self->options, &self->ports, self->inbox, boot, &key, clock_now(), self->why);
    if (rc < 0)
        return rc;
    struct job_port *port = &self->ports.job;
    rc = port->open(port->argument);
    if (rc < 0) {
        const char *sentence = port->why ? port->why(port->argument) : NULL;
        snprintf(self->why, sizeof self->why, "%s", sentence ? sentence : strerror(-rc));
        core_destroy(core_p);
    }
    return rc;
}

static void wait_for_work(struct requests *self, const struct core *core, struct now now)
{
    struct job_port *port = &self->ports.job;
    int64_t most = HEART_TURN_MAX_MS * CLOCK_MS_NS, due = core_due_ns(core);
    int64_t timeout = due <= now.steady_ns ? 0 : due - now.steady_ns < most ? due - now.steady_ns : most;
    if (timeout == 0 || port->wait(port->argument, inbox_fd(self->inbox), timeout) >= 0)
        return;
    /* Sockets that cannot be waited for: letters still come. */
    struct pollfd letters = {.fd = inbox_fd(self->inbox), .events = POLLIN};
    poll(&letters, 1, 100);
}

static void *run(void *argument)
{
    struct requests *self = argument;
    struct core *core = NULL;
    self->rc = begin(self, &core);
    bool good = self->rc == 0;
    sem_post(&self->ready);
    if (!good)
        return NULL;
    for (;;) {
        struct now now = clock_now();
        heart_beat(&self->heart);
        if (!core_turn(core, now) || core_stopped(core))
            break;
        wait_for_work(self, core, now);
    }
    self->left = core_live(core);
    core_destroy(&core);
    self->ports.job.close(self->ports.job.argument);
    return NULL;
}

static void free_all(struct requests **self_p)
{
    inbox_destroy(&(*self_p)->inbox);
    sem_destroy(&(*self_p)->ready);
    free(*self_p);
    *self_p = NULL;
}

int requests_start(struct requests **self_p, const struct requests_options *options, const struct requests_ports *ports,
                   char why[REQUESTS_WHY_MAX])
{
    *self_p = NULL;
    struct requests *self = calloc(1, sizeof *self);
    if (!self) {
        snprintf(why, REQUESTS_WHY_MAX, "no memory for requests");
        return -ENOMEM;
    }
    self->options = *options;
    self->ports = *ports;
    sem_init(&self->ready, 0, 0);
    int rc = inbox_new(&self->inbox);
    if (rc == 0)
        rc = -pthread_create(&self->thread, NULL, run, self);
    if (rc < 0) {
        snprintf(why, REQUESTS_WHY_MAX, "the keeper of requests cannot be started: %s", strerror(-rc));
        free_all(&self);
        return rc;
    }
    pthread_setname_np(self->thread, "requests");
    while (sem_wait(&self->ready) < 0 && errno == EINTR)
        ;
    if (self->rc < 0) {
        rc = self->rc;
        snprintf(why, REQUESTS_WHY_MAX, "%s", self->why);
        pthread_join(self->thread, NULL);
        free_all(&self);
        return rc;
    }
    *self_p = self;
    return 0;
}

struct inbox *requests_inbox(struct requests *self)
{
    return self->inbox;
}

const struct heart *requests_heart(const struct requests *self)
{
    return &self->heart;
}

void requests_stop(struct requests **self_p, uint32_t *left_p)
{
    struct requests *self = *self_p;
    if (!self)
        return;
    struct letter stop = {.kind = LETTER_STOP};
    while (inbox_put(self->inbox, stop) < 0) {
        /* Out of memory for a few bytes: others are giving some back. */
        struct timespec pause = {.tv_nsec = 10000000};
        nanosleep(&pause, NULL);
    }
    pthread_join(self->thread, NULL);
    if (left_p)
        *left_p = self->left;
    free_all(self_p);
}
