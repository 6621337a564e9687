#include "lib/config/parameters.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/config/scalar.h"

struct writer {
    struct mistakes *mistakes;
    const char *shown;
    size_t digits; /* that every real number needs at least */
    bool wrong, no_memory;
};

static json_t *value_of(struct writer *self, const struct node *node);

/* Members of an object and items of an array nest no deeper than the tree does. */
static json_t *object_of(struct writer *self, const struct node *node)
{
    json_t *object = json_object();
    for (const struct node *member = node->first; object && member; member = member->next) {
        if (member->key->unknown)
            continue;
        json_t *value = value_of(self, member);
        if (value && json_object_setn_new(object, member->key->text.at, member->key->text.len, value) != 0)
            self->no_memory = true;
    }
    return object;
}

static json_t *array_of(struct writer *self, const struct node *node)
{
    json_t *array = json_array();
    for (const struct node *item = node->first; array && item; item = item->next) {
        json_t *value = value_of(self, item);
        if (value && json_array_append_new(array, value) != 0)
            self->no_memory = true;
    }
    return array;
}

static json_t *refuse(struct writer *self, const struct node *node, const char *what)
{
    char quoted[MISTAKES_QUOTE_MAX];
    mistakes_add(self->mistakes, node->mark, self->shown, "%s %s; put quotes around it to pass it as text",
                 mistakes_quote(node->written, quoted), what);
    self->wrong = true;
    return NULL;
}

/* Digits of base 8 or 16 behind "0o" or "0x". */
static int based(struct text text, uint64_t *out)
{
    if (text.len < 3 || text.at[0] != '0' || (text.at[1] != 'o' && text.at[1] != 'x'))
        return -EINVAL;
    unsigned base = text.at[1] == 'o' ? 8 : 16;
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    bool over = false;
    for (size_t i = 2; i < text.len; i++) {
        int c = text.at[i] >= 'A' && text.at[i] <= 'F' ? text.at[i] - 'A' + 'a' : text.at[i];
        const char *digit = memchr(digits, c, base);
        if (!digit)
            return -EINVAL;
        over |= value > UINT64_MAX / base;
        value = value * base + (uint64_t)(digit - digits);
    }
    *out = value;
    return over ? -ERANGE : 0;
}

/* [-+]?[0-9]+, which may begin with zeros. */
static int decimal(struct text text, uint64_t *magnitude_p, bool *negative_p)
{
    bool sign = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+');
    size_t zeros = sign ? 1 : 0;
    while (zeros + 1 < text.len && text.at[zeros] == '0')
        zeros++;
    struct text digits = {.at = text.at + zeros, .len = text.len - zeros};
    if (digits.len > 0 && (digits.at[0] == '-' || digits.at[0] == '+'))
        return -EINVAL;
    bool unused;
    int error = scalar_whole(digits, magnitude_p, &unused);
    *negative_p = sign && text.at[0] == '-';
    return error;
}

static void need_digits(struct writer *self, double value)
{
    char text[64];
    while (self->digits < 17) {
        snprintf(text, sizeof(text), "%.*g", (int)self->digits, value);
        if (strtod(text, NULL) == value)
            return;
        self->digits++;
    }
}

static json_t *plain_of(struct writer *self, const struct node *node)
{
    static const char *const infinite[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                           "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};
    struct text text = node->text;
    if (node_is_empty(node))
        return json_null();
    if (text_is(text, "true") || text_is(text, "True") || text_is(text, "TRUE"))
        return json_true();
    if (text_is(text, "false") || text_is(text, "False") || text_is(text, "FALSE"))
        return json_false();
    for (size_t i = 0; i < sizeof(infinite) / sizeof(infinite[0]); i++)
        if (text_is(text, infinite[i]))
            return refuse(self, node, "is a number that JSON does not have");
    uint64_t magnitude = 0;
    bool negative = false;
    int error = based(text, &magnitude);
    if (error == -EINVAL)
        error = decimal(text, &magnitude, &negative);
    if (error == -ERANGE || (error == 0 && magnitude > (uint64_t)INT64_MAX + negative))
        return refuse(self, node, "is beyond a whole number of 64 bits");
    if (error == 0)
        return json_integer(negative ? (json_int_t)(0 - magnitude) : (json_int_t)magnitude);
    double number = 0;
    error = scalar_number(text, &number);
    if (error == -ERANGE)
        return refuse(self, node, "is too large or too fine for a number");
    if (error != 0)
        return json_stringn(text.at, text.len);
    need_digits(self, number);
    return json_real(number);
}

static json_t *value_of(struct writer *self, const struct node *node)
{
    json_t *value = NULL;
    bool wrong_before = self->wrong;
    if (node->unknown)
        return json_null();
    if (node->kind == NODE_MAP)
        value = object_of(self, node);
    else if (node->kind == NODE_LIST)
        value = array_of(self, node);
    else
        value = node->plain ? plain_of(self, node) : json_stringn(node->text.at, node->text.len);
    if (!value && self->wrong == wrong_before)
        self->no_memory = true;
    return value;
}

int parameters_json(const struct node *node, struct arena *memory, struct mistakes *mistakes, const char *shown,
                    const char **out)
{
    struct writer writer = {.mistakes = mistakes, .shown = shown, .digits = 15};
    json_t *value = node->kind == NODE_MAP ? object_of(&writer, node) : json_object();
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(writer.digits)) : NULL;
    json_decref(value);
    if (text)
        *out = arena_text(memory, text_of(text));
    bool complete = text && *out && !writer.no_memory;
    free(text);
    if (writer.wrong)
        return -EINVAL;
    return complete ? 0 : -ENOMEM;
}
