#include "cli/payload.h"

#include <msgpack.h>
#include <stdlib.h>

#include "cli/say.h"

static void pack(msgpack_packer *out, const json_t *value);

static void pack_string(msgpack_packer *out, const char *at, size_t len)
{
    msgpack_pack_str(out, len);
    msgpack_pack_str_body(out, at, len);
}

static void pack_object(msgpack_packer *out, const json_t *object)
{
    const char *key;
    json_t *member;
    msgpack_pack_map(out, json_object_size(object));
    json_object_foreach((json_t *)object, key, member)
    {
        pack_string(out, key, strlen(key));
        pack(out, member);
    }
}

static void pack_array(msgpack_packer *out, const json_t *array)
{
    size_t index;
    const json_t *item;
    msgpack_pack_array(out, json_array_size(array));
    json_array_foreach (array, index, item) {
        pack(out, item);
    }
}

/* As deep as the JSON was that jansson has read, which has a limit of its own. */
static void pack(msgpack_packer *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        pack_object(out, value);
        break;
    case JSON_ARRAY:
        pack_array(out, value);
        break;
    case JSON_STRING:
        pack_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        msgpack_pack_int64(out, json_integer_value(value));
        break;
    case JSON_REAL:
        msgpack_pack_double(out, json_real_value(value));
        break;
    case JSON_TRUE:
        msgpack_pack_true(out);
        break;
    case JSON_FALSE:
        msgpack_pack_false(out);
        break;
    case JSON_NULL:
        msgpack_pack_nil(out);
        break;
    }
}

/* The buffer of the library grows with realloc(3), and says when it cannot. */
static int append(void *argument, const char *at, size_t len)
{
    if (msgpack_sbuffer_write(argument, at, len) < 0)
        must(NULL);
    return 0;
}

struct payload payload_of(const json_t *value, enum payload_format format)
{
    if (format == PAYLOAD_JSON) {
        char *text = must(json_dumps(value, JSON_COMPACT));
        return (struct payload){.at = text, .len = strlen(text)};
    }
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, append);
    pack(&packer, value);
    return (struct payload){.at = buffer.data, .len = buffer.size};
}

void payload_free(struct payload *self)
{
    free(self->at);
    *self = (struct payload){0};
}
