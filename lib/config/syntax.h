/* syntax.h - what libyaml says of a mistake of syntax, put so that a person can mend it.
 *
 * Threads: pure functions. Memory: sentences are static. Failure: none.
 */
#ifndef DRIFT_LIB_CONFIG_SYNTAX_H
#define DRIFT_LIB_CONFIG_SYNTAX_H

#include <stdint.h>

#include "lib/text.h"

struct syntax_mistake {
    const char *sentence;
    size_t line, column; /* in the text, from 0 */
    size_t resume;       /* the line from which on the text may make sense again, from 0; UINT32_MAX: never */
};

/* `parser` is a yaml_parser_t that has failed on `yaml`. */
struct syntax_mistake syntax_explain(const void *parser, struct text yaml);

#endif
