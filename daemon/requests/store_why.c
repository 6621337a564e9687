#include "daemon/requests/store_why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int store_say(char why[STORE_WHY_MAX], int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, STORE_WHY_MAX, format, arguments);
    va_end(arguments);
    return error;
}

int store_say_damaged(const struct store *self, const char *how, char why[STORE_WHY_MAX])
{
    return store_say(
        why, -EILSEQ,
        "%s is damaged (%.120s), and nothing was changed: put back a copy, or move it and %s away to begin "
        "empty; `sqlite3 FILE .recover` reads what is left of it",
        self->file, how, self->made_file);
}

int store_say_error(const struct store *self, int error, char why[STORE_WHY_MAX])
{
    switch (error) {
    case -EBUSY:
        return store_say(
            why, error,
            "%s is locked by another process, and nothing was changed: stop the other driftd, or give this "
            "one its own state.dir",
            self->file);
    case -EILSEQ:
        return store_say_damaged(self, self->complaint, why);
    case -EROFS:
        return store_say(
            why, error,
            "%s cannot be written, its file system is read-only; what it holds is safe: mount it for writing "
            "(dmesg says why it is not), or set another state.dir",
            self->file);
    case -EACCES:
        return store_say(
            why, error,
            "%s cannot be opened for writing, and nothing was changed: give this user the folder and the file",
            self->file);
    case -ENOSPC:
        return store_say(
            why, error,
            "%s cannot be written, there is no room (%.120s); what it holds is safe: make room on the disk of "
            "its folder, and start again",
            self->file, self->complaint);
    default:
        return store_say(
            why, error,
            "%s cannot be opened: %.200s; what it holds was not changed: look at the disk (dmesg), and start "
            "again",
            self->file, self->complaint);
    }
}

int store_say_why(struct store *self, int rc, char why[STORE_WHY_MAX])
{
    return store_say_error(self, store_error_of(self, rc), why);
}
