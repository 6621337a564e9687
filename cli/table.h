/* table.h - rows and columns for people: fitted to the terminal, numbers to the right, colours where there are any.
 *
 * Threads: one. Memory: a table owns its cells. Failure: the program ends when there is no memory.
 */
#ifndef DRIFT_CLI_TABLE_H
#define DRIFT_CLI_TABLE_H

#include "cli/terminal.h"
#include "lib/text.h"

#define TABLE_COLUMNS_MAX 16

/* How a column behaves. Where a row is wider than the terminal, columns that give way are cut, the widest first; then
 * those that can be missed are left out, from the right. The last column may go on in further lines instead. */
enum column_kind {
    COLUMN_TEXT = 0,
    COLUMN_NUMBER = 1 << 0, /* to the right */
    COLUMN_GIVES_WAY = 1 << 1,
    COLUMN_OPTIONAL = 1 << 2,
    COLUMN_WRAPS = 1 << 3,
};

struct column {
    const char *title;
    int kind;
};

struct table;

/* `columns` ends with a NULL title and must outlive the table. */
void table_new(struct table **self_p, const struct column *columns);

/* Begins the next row; then its cells from left to right. What is missing at its end stays empty. */
void table_row(struct table *self);
void table_text(struct table *self, enum colour colour, struct text outside); /* escaped */
__attribute__((format(printf, 3, 4))) void table_cell(struct table *self, enum colour colour, const char *format, ...);

/* The next cell takes the place of the last column's in a row (from 0) that is there. */
void table_amend(struct table *self, size_t row);

/* Prints it on stdout, titles first; a table without rows prints nothing. */
void table_print(const struct table *self);
void table_destroy(struct table **self_p);

#endif
