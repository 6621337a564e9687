#include "cli/progress.h"

#include <stdio.h>

#include "cli/clock.h"
#include "cli/terminal.h"

#define EVERY_NS 200000000

bool progress_due(struct progress *self)
{
    if (!terminal_watched())
        return false;
    int64_t now_ns = clock_now_ns();
    if (now_ns < self->shown_ns + EVERY_NS)
        return false;
    self->shown_ns = now_ns;
    progress_end();
    return true;
}

void progress_end(void)
{
    if (!terminal_watched())
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
