/* large_pages.h - puts the allocator's memory into large pages, afterwards and a piece at a time.
 *
 * An event of one of ten thousand models touches fifty lines of memory in as many small pages, more than a processor
 * keeps the addresses of. A page fault that asks for a large page waits until the kernel has found one, so no fault
 * does: a thread of its own looks at the memory that is there once it has grown, and has the kernel copy (Linux 6.1,
 * MADV_COLLAPSE) 2 MiB after 2 MiB. Who touches a piece meanwhile waits for it to be copied, a millisecond or a few;
 * after each there is a rest of LARGE_PAGES_REST times as long. Pieces with holes are left, so that the resident set
 * stays what it was. What is freed goes back to the system as before.
 *
 * The thread has the priority of the others: with a lower one it would be put off while it keeps others waiting.
 *
 * Threads: start and stop by the engine; figures by any; large_pages_pass() by any. Memory: a few kilobytes. Failure:
 * as each function says; memory that cannot be put into large pages stays as it is.
 */
#ifndef DRIFTD_BASE_LARGE_PAGES_H
#define DRIFTD_BASE_LARGE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#define LARGE_PAGES_REST 20

struct large_pages_figures {
    int64_t bytes;      /* in large pages, as last looked at */
    uint64_t failed;    /* pieces that the kernel had no large page for, or could not copy, since the start */
    int64_t slowest_ns; /* the longest that the kernel took for one, looking for a large page included */
};

struct large_pages;

/* 0; -ENOTSUP: the kernel has no such thing, or is set to `never`; -EPERM or another error: it may not be asked. */
int large_pages_probe(void);

/* Starts the thread. 0, what large_pages_probe() says, -ENOMEM, or the error of a descriptor or a thread. */
int large_pages_start(struct large_pages **self_p);
void large_pages_figures(const struct large_pages *self, struct large_pages_figures *out);

/* Ends the thread, within a piece. *self_p may be NULL already. */
void large_pages_stop(struct large_pages **self_p);

/* One look at all memory, at once and without rests, by the calling thread. Adds to out->failed and to the rest what
 * it is about. The error of large_pages_probe(), or 0. */
int large_pages_pass(struct large_pages_figures *out);

#endif
