#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "cli/say.h"
#include "cli/visible.h"

#define GAP 2       /* columns between two cells */
#define WHOLE 40
#define NARROWEST 8 /* what a column that gives way keeps */
#define WRAP_LEAST 24

struct cell {
    char *visible;
    unsigned width;
    enum colour colour;
};

struct table {
    const struct column *columns;
    unsigned column_count;
    struct cell *cells; /* row after row */
    size_t rows, room;
    size_t row;      /* where cells go */
    unsigned filled; /* cells of it, from the left */
};

void table_new(struct table **self_p, const struct column *columns)
{
    struct table *self = must(calloc(1, sizeof *self));
    self->columns = columns;
    while (columns[self->column_count].title)
        self->column_count++;
    *self_p = self;
}

void table_row(struct table *self)
{
    if (self->rows == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->cells = must(reallocarray(self->cells, self->room * self->column_count, sizeof *self->cells));
    }
    memset(self->cells + self->rows * self->column_count, 0, self->column_count * sizeof *self->cells);
    self->row = self->rows++;
    self->filled = 0;
}

void table_amend(struct table *self, size_t row)
{
    self->row = row;
    self->filled = self->column_count - 1;
}

void table_text(struct table *self, enum colour colour, struct text outside)
{
    struct cell *cell = self->cells + self->row * self->column_count + self->filled++;
    free(cell->visible);
    cell->visible = visible_of(outside);
    cell->width = visible_columns(cell->visible);
    cell->colour = colour;
}

void table_cell(struct table *self, enum colour colour, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        must(NULL);
    va_end(arguments);
    table_text(self, colour, text_of(text));
    free(text);
}

static unsigned sum(const unsigned *widths, unsigned count)
{
    unsigned total = 0, shown = 0;
    for (unsigned c = 0; c < count; c++) {
        total += widths[c];
        shown += widths[c] > 0;
    }
    return total + (shown ? (shown - 1) * GAP : 0);
}

/* A name that lost a part of itself says little: up to some length it stays whole while there is something to leave out. */
static unsigned least_width(const struct column *column, unsigned natural, bool gently)
{
    unsigned least = column->kind & COLUMN_WRAPS ? WRAP_LEAST : NARROWEST, most = natural < WHOLE ? natural : WHOLE;
    return gently && !(column->kind & (COLUMN_OPTIONAL | COLUMN_WRAPS)) && most > least ? most : least;
}

/* Takes one column off the widest of those that give way; false when none can. */
static bool squeeze(const struct table *self, unsigned *widths, const unsigned *natural, bool gently)
{
    unsigned widest = self->column_count;
    for (unsigned c = 0; c < self->column_count; c++) {
        if (self->columns[c].kind & (COLUMN_GIVES_WAY | COLUMN_WRAPS) &&
            widths[c] > least_width(&self->columns[c], natural[c], gently) &&
            (widest == self->column_count || widths[c] > widths[widest]))
            widest = c;
    }
    if (widest == self->column_count)
        return false;
    widths[widest]--;
    return true;
}

static bool leave_out(const struct table *self, unsigned *widths)
{
    for (unsigned c = self->column_count; c-- > 0;) {
        if (self->columns[c].kind & COLUMN_OPTIONAL && widths[c]) {
            widths[c] = 0;
            return true;
        }
    }
    return false;
}

static void measure(const struct table *self, unsigned *widths)
{
    for (unsigned c = 0; c < self->column_count; c++) {
        widths[c] = visible_columns(self->columns[c].title);
        for (size_t r = 0; r < self->rows; r++) {
            unsigned width = self->cells[r * self->column_count + c].width;
            if (width > widths[c])
                widths[c] = width;
        }
    }
    unsigned room = terminal_width(), natural[TABLE_COLUMNS_MAX];
    memcpy(natural, widths, sizeof natural);
    while (sum(widths, self->column_count) > room) {
        if (!squeeze(self, widths, natural, true) && !leave_out(self, widths) &&
            !squeeze(self, widths, natural, false))
            break;
    }
}

static void spaces(unsigned count)
{
    printf("%*s", (int)count, "");
}

/* Prints a cell over as many lines as it takes, broken at spaces where there are any. `at` is where it begins. */
static void put_wrapped(const struct cell *cell, unsigned width, unsigned at)
{
    char *rest = cell->visible;
    for (;;) {
        size_t fits = visible_fitting(rest, width), cut = fits;
        while (rest[fits] && cut > 0 && rest[cut] != ' ')
            cut--;
        if (cut == 0)
            cut = fits;
        printf("%s%.*s%s", terminal_on(cell->colour), (int)cut, rest, terminal_off(cell->colour));
        rest += cut + strspn(rest + cut, " ");
        if (!*rest)
            return;
        putchar('\n');
        spaces(at);
    }
}

/* Padding behind the last cell of a line is not written. */
static void put_cell(const struct table *self, unsigned c, const struct cell *cell, unsigned width, bool last)
{
    unsigned columns = cell->width;
    char *shown = cell->visible;
    if (shown && columns > width) {
        visible_cut(shown, width);
        columns = visible_columns(shown);
    }
    unsigned pad = width - columns;
    bool right = self->columns[c].kind & COLUMN_NUMBER;
    spaces(right ? pad : 0);
    printf("%s%s%s", terminal_on(cell->colour), shown ? shown : "", terminal_off(cell->colour));
    if (!right && !last)
        spaces(pad);
}

static void put_row(const struct table *self, const unsigned *widths, const struct cell *cells)
{
    unsigned last = 0;
    for (unsigned c = 0; c < self->column_count; c++) {
        if (widths[c] && cells[c].width)
            last = c;
    }
    unsigned at = 0;
    for (unsigned c = 0; c <= last; c++) {
        if (!widths[c])
            continue;
        unsigned gap = at ? GAP : 0;
        spaces(gap);
        if (self->columns[c].kind & COLUMN_WRAPS && cells[c].width > widths[c])
            put_wrapped(&cells[c], widths[c], at + gap);
        else
            put_cell(self, c, &cells[c], widths[c], c == last);
        at += gap + widths[c];
    }
    putchar('\n');
}

void table_print(const struct table *self)
{
    unsigned widths[TABLE_COLUMNS_MAX] = {0};
    struct cell titles[TABLE_COLUMNS_MAX] = {0};
    if (!self->rows)
        return;
    measure(self, widths);
    for (unsigned c = 0; c < self->column_count; c++)
        titles[c] = (struct cell){.visible = visible_of(text_of(self->columns[c].title)),
                                  .colour = DIM,
                                  .width = visible_columns(self->columns[c].title)};
    put_row(self, widths, titles);
    for (unsigned c = 0; c < self->column_count; c++)
        free(titles[c].visible);
    for (size_t r = 0; r < self->rows; r++)
        put_row(self, widths, self->cells + r * self->column_count);
}

void table_destroy(struct table **self_p)
{
    struct table *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->rows * self->column_count; i++)
        free(self->cells[i].visible);
    free(self->cells);
    free(self);
    *self_p = NULL;
}
