#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/visible.h"

__attribute__((format(printf, 1, 0))) static void put(const char *format, va_list arguments)
{
    char *sentence;
    if (vasprintf(&sentence, format, arguments) < 0) {
        fputs("driftc: there is no memory left\n", stderr);
        return;
    }
    fputs("driftc: ", stderr);
    visible_put(stderr, text_of(sentence));
    fputc('\n', stderr);
    free(sentence);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put(format, arguments);
    va_end(arguments);
}

noreturn void say_and_end(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put(format, arguments);
    va_end(arguments);
    exit(status);
}

void *must(void *memory)
{
    if (!memory)
        say_and_end(EX_OSERR, "there is no memory left");
    return memory;
}
