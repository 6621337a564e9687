/* page.h - the files of the status page, which are part of the program.
 *
 * Threads: any. Memory: constant. Failure: none.
 */
#ifndef DRIFTD_OBSERVE_PAGE_H
#define DRIFTD_OBSERVE_PAGE_H

#include <stddef.h>

struct page_file {
    const char *path; /* as a browser asks for it */
    const char *type;
    const char *at, *end;
};

/* NULL: there is no such file. */
const struct page_file *page_find(const char *path);

#endif
