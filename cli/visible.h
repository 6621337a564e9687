/* visible.h - text from outside, made safe for a terminal, and measured in columns.
 *
 * Model ids, reasons and examples come from the network. Control characters (C0, DEL, C1), marks that turn the
 * direction of writing, line separators and bytes that are no UTF-8 are written as escapes, so that no id can move the
 * cursor, forge a line or hide. Where the locale says that the terminal does not read UTF-8, everything beyond ASCII
 * is.
 *
 * Threads: one. Memory: strings returned are the caller's. Failure: the program ends when there is no memory.
 */
#ifndef DRIFT_CLI_VISIBLE_H
#define DRIFT_CLI_VISIBLE_H

#include <stdio.h>

#include "lib/text.h"

/* Takes the character set from the environment: UTF-8 unless LC_ALL, LC_CTYPE or LANG say another. Call it once, first.
 */
void visible_init(void);
bool visible_utf8(void);

void visible_put(FILE *out, struct text text);
char *visible_of(struct text text);

/* The same of valid JSON text: what is escaped stays JSON (\u009b). */
void visible_put_json(FILE *out, struct text json);

/* Columns on a terminal of text that visible_of() has made. */
unsigned visible_columns(const char *visible);

/* How many of its bytes fit into so many columns, at least one character. */
size_t visible_fitting(const char *visible, unsigned columns);

/* Cuts it, in place, to at most `columns`, and puts an ellipsis where something was cut. `columns` >= 1; the string
 * must have room for 3 bytes more. */
void visible_cut(char *visible, unsigned columns);

#endif
