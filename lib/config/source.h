/* source.h - the bytes of a configuration before YAML sees them.
 *
 * Threads: pure functions. Memory: nothing is taken. Failure: see source_check().
 */
#ifndef DRIFT_LIB_CONFIG_SOURCE_H
#define DRIFT_LIB_CONFIG_SOURCE_H

#include <stdint.h>

#include "lib/config/mistakes.h"
#include "lib/text.h"

#define SOURCE_BYTES_MAX (16 << 20)

/* The text without a byte order mark. */
struct text source_without_mark(struct text source);

/* Says whether YAML may have these bytes: UTF-8 without NUL and other control characters. Returns NULL, or a sentence
 * (static) and in *mark_p the place of the first byte that is wrong. */
const char *source_check(struct text source, struct mark *mark_p);

/* True for valid UTF-8 (no surrogates, nothing longer than it must be). */
bool source_is_utf8(struct text text);

/* Where the line that begins `lines` line breaks after `source.at` begins; the end of the text where there is none.
 * Breaks are those that libyaml counts: CR, LF, CR LF, NEL, LS and PS. */
size_t source_line(struct text source, uint32_t lines);

#endif
