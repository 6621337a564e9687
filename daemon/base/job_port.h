/* job_port.h - how jobs leave and feedback comes in, as the requests station sees it: a table of functions.
 *
 * The engine makes one of sockets (daemon/dispatch), tests one of memory.
 *
 * Threads: all functions are called by the requests thread alone, from open() to close(). Memory: what is handed in is
 * borrowed for the call; a letter lives until its reply. Failure: as each function says.
 */
#ifndef DRIFTD_BASE_JOB_PORT_H
#define DRIFTD_BASE_JOB_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One message of a trainer; who sent it is the port's business and comes back with the reply. */
struct feedback_letter {
    const char *json; /* borrowed until reply(); not terminated */
    size_t bytes;
    const char *peer; /* where it came from, as libzmq has it, borrowed until reply(); NULL: not known */
    void *sender; /* the port's */
};

struct job_doors; /* where peers come in, and what came of it; the port's */

/* Jobs leave by outlets: the first is for all projects but those that have one of their own. */
struct job_port {
    void *argument;
    uint32_t outlets; /* how many there are */
    uint32_t (*outlet)(void *argument, const char *project, size_t len); /* by which its jobs leave; NULL: one for all */
    const char *(*project)(void *argument, uint32_t outlet); /* whose own it is; NULL for the first */
    int (*open)(void *argument);         /* in the thread that will use it; 0 or a negative error */
    const char *(*why)(void *argument);  /* after open() failed: one sentence */
    bool (*ready)(void *argument, uint32_t outlet); /* a trainer is connected there and can take a job; after a false,
                                            wait() ends when there is one */
    int (*send)(void *argument, uint32_t outlet, const char *job, size_t bytes); /* 0; -EAGAIN: nobody took it */
    bool (*take)(void *argument, struct feedback_letter *out);    /* the next message of a trainer */
    bool (*may)(void *argument, void *sender, const char *project, size_t len); /* speak of it; NULL: everybody may */
    void (*reply)(void *argument, void *sender, const char *json, size_t bytes); /* exactly once for each taken */
    int (*wait)(void *argument, int inbox_fd, int64_t timeout_ns); /* until a message, a free trainer or the inbox */
    void (*renew)(void *argument, struct job_doors *doors); /* other ways in, or whoever is connected is cut off; what
                                            came of it stands in `doors`; NULL: there are no ways in */
    void (*close)(void *argument);
};

#endif
