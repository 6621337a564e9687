#include "cli/member.h"

struct text member_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value))
        return text_of("");
    return (struct text){.at = json_string_value(value), .len = json_string_length(value)};
}

double member_number(const json_t *object, const char *name, double otherwise)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

int64_t member_count(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_real(value) && json_real_value(value) > -9e18 && json_real_value(value) < 9e18)
        return (int64_t)json_real_value(value);
    return json_is_integer(value) ? json_integer_value(value) : 0;
}

bool member_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}
