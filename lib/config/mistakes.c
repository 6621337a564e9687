#include "lib/config/mistakes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define QUOTED_BYTES 64

bool mistakes_full(const struct mistakes *self)
{
    return self->count >= MISTAKES_MAX;
}

void mistakes_add(struct mistakes *self, struct mark mark, const char *key, const char *format, ...)
{
    uint64_t order = self->count++;
    if (!self->at)
        self->at = arena_take(self->memory, MISTAKES_MAX, sizeof(*self->at));
    if (order >= MISTAKES_MAX || !self->at)
        return;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    size_t room = strlen(key) + 2 + (size_t)(wanted < 0 ? 0 : wanted) + 1;
    char *text = arena_take(self->memory, room, 1);
    if (text) {
        int at = snprintf(text, room, "%s%s", key, *key ? ": " : "");
        va_start(arguments, format);
        vsnprintf(text + at, room - (size_t)at, format, arguments);
        va_end(arguments);
    }
    self->at[order] =
        (struct mistake){.file = mark.file, .line = mark.line, .column = mark.column, .order = (uint32_t)order, .text = text};
}

const char *mistakes_place(const struct mistakes *self, struct mark mark, struct mark from, char out[MISTAKES_PLACE_MAX])
{
    if (mark.file == from.file)
        snprintf(out, MISTAKES_PLACE_MAX, "line %u", mark.line);
    else
        snprintf(out, MISTAKES_PLACE_MAX, "%s:%u", self->files[mark.file], mark.line);
    return out;
}

static int by_place(const void *a_, const void *b_)
{
    const struct mistake *a = a_, *b = b_;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static bool told_before(const struct mistake *list, uint32_t index)
{
    for (uint32_t i = index; i-- > 0 && list[i].file == list[index].file && list[i].line == list[index].line &&
                             list[i].column == list[index].column;)
        if (list[i].text && strcmp(list[i].text, list[index].text) == 0)
            return true;
    return false;
}

static void tell_line(config_error_fn *error, void *argument, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell_line(config_error_fn *error, void *argument, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = NULL;
    int length = vasprintf(&line, format, arguments);
    va_end(arguments);
    error(argument, length < 0 ? "not enough memory" : line);
    if (length >= 0)
        free(line);
}

void mistakes_tell(struct mistakes *self, config_error_fn *error, void *argument)
{
    uint32_t shown = (uint32_t)(mistakes_full(self) ? MISTAKES_MAX : self->count);
    if (!self->at)
        shown = 0;
    if (shown > 1)
        qsort(self->at, shown, sizeof(*self->at), by_place);
    for (uint32_t i = 0; i < shown; i++) {
        const struct mistake *mistake = &self->at[i];
        if (!mistake->text || told_before(self->at, i))
            continue;
        if (mistake->line > 0)
            tell_line(error, argument, "%s:%u:%u: %s", self->files[mistake->file], mistake->line, mistake->column,
                      mistake->text);
        else
            tell_line(error, argument, "%s: %s", self->files[mistake->file], mistake->text);
    }
    if (self->count > shown && !self->memory->failed)
        tell_line(error, argument, "%s: %llu mistakes more are not shown", self->files[0],
                  (unsigned long long)(self->count - shown));
}

const char *mistakes_quote(struct text text, char out[MISTAKES_QUOTE_MAX])
{
    size_t at = 0, from = 0;
    while (from < text.len && at < QUOTED_BYTES) {
        unsigned char c = (unsigned char)text.at[from++];
        bool c1 = c == 0xc2 && from < text.len && (unsigned char)text.at[from] < 0xa0;
        if (c == '\n' || c == '\t') {
            out[at++] = '\\';
            out[at++] = (char)(c == '\n' ? 'n' : 't');
        } else {
            out[at++] = (char)(c < 0x20 || c == 0x7f || c1 ? '?' : c);
        }
        from += c1;
    }
    if (from < text.len) {
        /* Not in the middle of a character. */
        while (at > 0 && ((unsigned char)out[at - 1] & 0xc0) == 0x80)
            at--;
        if (at > 0 && ((unsigned char)out[at - 1] & 0x80) != 0)
            at--;
        memcpy(out + at, "...", 3);
        at += 3;
    }
    out[at] = '\0';
    return out;
}

const char *mistakes_key(struct text key, char out[MISTAKES_QUOTE_MAX])
{
    return key.len > 0 ? mistakes_quote(key, out) : "\"\"";
}
