/* ceiling.h - the bound of the memory that models may take.
 *
 * Whoever keeps models asks before it takes memory that peers cause, and gives it back when a model goes. What was
 * granted counts from then on, whether it is used yet or not, so that no flood is faster than the count. Beside that
 * the engine measures the whole process, and closes the ceiling while it stands at its limit: nothing is granted then.
 *
 * Threads: any, at the same time; ceiling_init() before. Memory: a plain value. Failure: none.
 */
#ifndef DRIFTD_BASE_CEILING_H
#define DRIFTD_BASE_CEILING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ceiling {
    atomic_llong used, most; /* bytes: granted; and the most that may be */
    atomic_bool closed;
    atomic_ullong refused; /* requests */
};

void ceiling_init(struct ceiling *self, int64_t most);

/* Asks for so many bytes; below 0: gives them back. False, and counted: refused. */
bool ceiling_take(struct ceiling *self, int64_t bytes);

/* Counts bytes that are taken, or given back, whatever the bound says. */
void ceiling_count(struct ceiling *self, int64_t bytes);

/* Whether a request for so many bytes would be refused; then it counts as one. */
bool ceiling_refuses(struct ceiling *self, int64_t bytes);

void ceiling_set(struct ceiling *self, int64_t most);
void ceiling_close(struct ceiling *self, bool closed);

int64_t ceiling_used(const struct ceiling *self);
int64_t ceiling_most(const struct ceiling *self);
bool ceiling_closed(const struct ceiling *self);
uint64_t ceiling_refused(const struct ceiling *self);

#endif
