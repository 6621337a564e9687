#include "daemon/base/large_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/inbox.h"
#include "daemon/base/large_pieces.h"
#include "daemon/base/memory_limit.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* newer than the headers of Debian 12 */
#endif

#define SETTINGS "/sys/kernel/mm/transparent_hugepage/"
#define LINE_BYTES 256
#define LOOK_EVERY_MS 1000
#define RETRY_NS (600 * CLOCK_S_NS) /* after pieces that failed */
#define FAILURES_MOST 8             /* in a row, after which a look ends */
#define TABLES_MOST_BYTES (UINT64_C(256) << 20)
#define REST_LEAST_NS CLOCK_MS_NS   /* shorter ones are gathered */
#define REST_MOST_NS CLOCK_S_NS

struct large_pages {
    pthread_t thread;
    struct inbox *inbox;
    bool stopping;
    atomic_llong bytes, slowest_ns;
    atomic_ullong failed;
    int64_t rest_ns; /* that is owed */
};

/* --- what the kernel can do --- */

static bool setting(const char *path, char *out, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd >= 0 ? read(fd, out, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* Both calls are made with nothing to do: one that is not known, or not allowed, says so all the same. */
int large_pages_probe(void)
{
    char text[64], *here = (char *)((uintptr_t)text & ~(uintptr_t)(LARGE_PIECE_BYTES / LARGE_PIECE_PAGES - 1));
    unsigned char resident[1];
    if (sysconf(_SC_PAGE_SIZE) != LARGE_PIECE_BYTES / LARGE_PIECE_PAGES ||
        !setting(SETTINGS "hpage_pmd_size", text, sizeof text) || strtoull(text, NULL, 10) != LARGE_PIECE_BYTES ||
        !setting(SETTINGS "enabled", text, sizeof text) || strstr(text, "[never]"))
        return -ENOTSUP;
    if (madvise(here, 0, MADV_COLLAPSE) < 0)
        return errno == EINVAL ? -ENOTSUP : -errno;
    return mincore(here, 1, resident) < 0 ? -errno : 0;
}

/* --- lines of a file --- */

/* Nothing is asked of the allocator, whose memory this is about: a buffer that is made last keeps what is below it. */
struct lines {
    int fd;
    size_t len, at;
    char bytes[4096];
};

static bool next_byte(struct lines *self, char *out)
{
    if (self->at == self->len) {
        const ssize_t got = read(self->fd, self->bytes, sizeof self->bytes);
        self->len = got > 0 ? (size_t)got : 0;
        self->at = 0;
    }
    if (self->len == 0)
        return false;
    *out = self->bytes[self->at++];
    return true;
}

/* Without its end; what does not fit is left out: it is the name of a file. */
static bool next_line(struct lines *self, char out[LINE_BYTES])
{
    size_t len = 0;
    char byte;
    while (next_byte(self, &byte)) {
        if (byte == '\n') {
            out[len] = '\0';
            return true;
        }
        if (len < LINE_BYTES - 1)
            out[len++] = byte;
    }
    return false;
}

/* --- a look --- */

/* False: no more, the daemon stops. */
static bool rest(struct large_pages *self, int64_t pause_ns)
{
    struct pollfd poller = {.fd = inbox_fd(self->inbox), .events = POLLIN};
    struct letter letter;
    poll(&poller, 1, (int)(pause_ns / CLOCK_MS_NS));
    while (inbox_take(self->inbox, &letter))
        self->stopping = self->stopping || letter.kind == LETTER_STOP;
    return !self->stopping;
}

static bool rest_after(struct large_pages *self, int64_t took_ns)
{
    self->rest_ns += took_ns * LARGE_PAGES_REST;
    if (self->rest_ns < REST_LEAST_NS)
        return true;
    const int64_t pause_ns = self->rest_ns < REST_MOST_NS ? self->rest_ns : REST_MOST_NS;
    self->rest_ns = 0;
    return rest(self, pause_ns);
}

/* Of one look. */
struct look {
    struct large_pages *self; /* NULL: without rests */
    struct large_pages_figures found;
    uint32_t failures; /* in a row */
};

/* The longest is told at once, and what is large as far as it is more than was known. */
static void publish(const struct look *look)
{
    struct large_pages *self = look->self;
    if (look->found.bytes > atomic_load(&self->bytes))
        atomic_store(&self->bytes, look->found.bytes);
    if (look->found.slowest_ns > atomic_load(&self->slowest_ns))
        atomic_store(&self->slowest_ns, look->found.slowest_ns);
}

/* A piece that is in a large page already costs a microsecond, and so does one that may not be in any (EINVAL). */
static bool take_piece(struct look *look, uintptr_t at)
{
    unsigned char pages[LARGE_PIECE_PAGES];
    if (mincore((void *)at, LARGE_PIECE_BYTES, pages) < 0 || !large_piece_whole(pages))
        return true; /* it may be gone by now */
    const int64_t began_ns = clock_now().steady_ns;
    const bool large = madvise((void *)at, LARGE_PIECE_BYTES, MADV_COLLAPSE) == 0;
    const bool failed = !large && errno != EINVAL;
    const int64_t took_ns = clock_now().steady_ns - began_ns;
    look->found.bytes += large ? (int64_t)LARGE_PIECE_BYTES : 0;
    look->found.failed += failed;
    look->failures = failed ? look->failures + 1 : 0;
    if (took_ns > look->found.slowest_ns)
        look->found.slowest_ns = took_ns;
    if (!look->self)
        return look->failures < FAILURES_MOST;
    publish(look);
    return rest_after(look->self, took_ns) && look->failures < FAILURES_MOST;
}

/* Of mappings of the allocator's with more than `least` bytes of pieces and `most` at most. Those that come and go
 * meanwhile are seen or not; either is well. False: no more. */
static bool take_mappings(struct look *look, uint64_t least, uint64_t most)
{
    struct lines maps = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    const uint64_t machine = (uint64_t)memory_limit_of_machine();
    struct large_pieces pieces;
    char line[LINE_BYTES];
    bool more = maps.fd >= 0;
    while (more && next_line(&maps, line)) {
        if (!large_pieces_of(line, machine, &pieces) || pieces.to - pieces.from <= least || pieces.to - pieces.from > most)
            continue;
        for (uintptr_t at = pieces.from; more && at < pieces.to; at += LARGE_PIECE_BYTES)
            more = take_piece(look, at);
    }
    if (maps.fd >= 0)
        close(maps.fd);
    return more;
}

/* Tables have mappings of their own, and any event goes to any place in them: they come before the models, of which there
 * may be gigabytes. */
static void take_all(struct look *look)
{
    if (take_mappings(look, 0, TABLES_MOST_BYTES))
        take_mappings(look, TABLES_MOST_BYTES, UINT64_MAX);
}

int large_pages_pass(struct large_pages_figures *out)
{
    struct look look = {.self = NULL};
    const int rc = large_pages_probe();
    if (rc < 0)
        return rc;
    take_all(&look);
    out->bytes = look.found.bytes;
    out->failed += look.found.failed;
    out->slowest_ns = look.found.slowest_ns > out->slowest_ns ? look.found.slowest_ns : out->slowest_ns;
    return 0;
}

/* --- the thread --- */

static void *run(void *argument)
{
    struct large_pages *self = argument;
    int64_t looked_at = 0, retry_ns = INT64_MAX;
    while (rest(self, LOOK_EVERY_MS * CLOCK_MS_NS)) {
        const int64_t resident = memory_resident();
        if (!large_pieces_due(resident, looked_at) && clock_now().steady_ns < retry_ns)
            continue;
        struct look look = {.self = self};
        looked_at = resident;
        take_all(&look);
        atomic_fetch_add(&self->failed, look.found.failed);
        atomic_store(&self->bytes, look.found.bytes);
        retry_ns = look.found.failed ? clock_now().steady_ns + RETRY_NS : INT64_MAX;
    }
    return NULL;
}

int large_pages_start(struct large_pages **self_p)
{
    *self_p = NULL;
    int rc = large_pages_probe();
    if (rc < 0)
        return rc;
    struct large_pages *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    rc = inbox_new(&self->inbox);
    if (rc == 0)
        rc = -pthread_create(&self->thread, NULL, run, self);
    if (rc < 0) {
        inbox_destroy(&self->inbox);
        free(self);
        return rc;
    }
    pthread_setname_np(self->thread, "large pages");
    *self_p = self;
    return 0;
}

void large_pages_figures(const struct large_pages *self, struct large_pages_figures *out)
{
    *out = (struct large_pages_figures){.bytes = atomic_load(&self->bytes),
                                        .failed = atomic_load(&self->failed),
                                        .slowest_ns = atomic_load(&self->slowest_ns)};
}

void large_pages_stop(struct large_pages **self_p)
{
    struct large_pages *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    while (inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
        poll(NULL, 0, 10);
    pthread_join(self->thread, NULL);
    inbox_destroy(&self->inbox);
    free(self);
}
