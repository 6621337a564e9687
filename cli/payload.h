/* payload.h - JSON values as the bytes of a metric message: JSON or MessagePack.
 *
 * Threads: one. Memory: a payload is the caller's, until payload_free(). Failure: the program ends when there is no
 * memory.
 */
#ifndef DRIFT_CLI_PAYLOAD_H
#define DRIFT_CLI_PAYLOAD_H

#include <jansson.h>

enum payload_format { PAYLOAD_JSON, PAYLOAD_MSGPACK };

struct payload {
    char *at;
    size_t len;
};

/* Numbers keep their kind (integer or 64-bit float) and every bit of their value in both formats. */
struct payload payload_of(const json_t *value, enum payload_format format);
void payload_free(struct payload *self);

#endif
