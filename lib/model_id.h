/* model_id.h - project/name/version: how a model is named, and patterns over such names.
 *
 * Threads: pure functions. Memory: everything is borrowed from the text that was given. Failure: -EINVAL, the output is
 * then untouched.
 */
#ifndef DRIFT_LIB_MODEL_ID_H
#define DRIFT_LIB_MODEL_ID_H

#include "lib/text.h"

#define MODEL_ID_SEGMENT_MAX 128                      /* bytes of UTF-8 */
#define MODEL_ID_MAX (3 * MODEL_ID_SEGMENT_MAX + 2)   /* bytes of a whole id */

struct model_id {
    struct text whole, project, name, version;
};

/* True for 1 to 128 bytes of valid UTF-8 without '/', '*', '?', '[', control characters (C0, DEL and C1), and without a
 * space at its beginning or end. */
bool model_id_segment_valid(struct text segment);

/* Splits `text` into its three segments. Returns 0, or -EINVAL when it is no valid id. */
int model_id_parse(struct model_id *out, struct text text);

/* The part that training history belongs to: "project/name". */
struct text model_id_family(const struct model_id *id);

/* The same of a text that is known to be a valid id. Of any other: some part of it. */
struct text model_id_family_of(struct text valid);

/* Says whether `pattern` is one: project, project/name or project/name/version, where '*' stands for any run of bytes
 * and '?' for one character within a segment. Returns 0, or -EINVAL with a sentence in *why_p (static). */
int model_pattern_check(struct text pattern, const char **why_p);

/* Says whether a checked pattern matches; a pattern of fewer segments matches whatever follows. */
bool model_pattern_matches(struct text pattern, const struct model_id *id);

#endif
