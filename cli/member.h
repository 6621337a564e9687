/* member.h - members of JSON objects that others have written: nothing is taken for granted.
 *
 * Threads: pure functions. Memory: borrowed from the object. Failure: what is missing, or of another type, is "" or the
 * number that the caller names.
 */
#ifndef DRIFT_CLI_MEMBER_H
#define DRIFT_CLI_MEMBER_H

#include <jansson.h>
#include <stdint.h>

#include "lib/text.h"

struct text member_text(const json_t *object, const char *name);
double member_number(const json_t *object, const char *name, double otherwise);
int64_t member_count(const json_t *object, const char *name); /* 0 where there is none */
bool member_true(const json_t *object, const char *name);

#endif
