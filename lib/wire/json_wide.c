#include "lib/wire/json_wide.h"

#include <errno.h>
#include <stdlib.h>

#define DIGITS_MIN 19 /* that an integer beyond 64 bits has */

static size_t string_end(const char *at, size_t from, size_t len)
{
    size_t i = from + 1;
    while (i < len && at[i] != '"')
        i += at[i] == '\\' ? 2 : 1;
    return i + 1;
}

/* Whether the number is an integer that jansson has no room for; it is followed by what is no part of it. */
static bool too_wide(const char *number, size_t len)
{
    size_t sign = number[0] == '-';
    if (len - sign < DIGITS_MIN || strspn(number + sign, "0123456789") != len - sign)
        return false;
    errno = 0;
    strtoll(number, NULL, 10);
    return errno == ERANGE;
}

/* Makes reals of integers beyond 64 bits: their last two digits, of 19 or more, become "e2". That is more than a double
 * keeps of them, and all that follows stays in its place, for errors that name one. */
static void narrow(char *at, size_t len)
{
    size_t i = 0;
    while (i < len) {
        size_t number = strspn(at + i, "0123456789+-.eE");
        if (number && too_wide(at + i, number)) {
            at[i + number - 2] = 'e';
            at[i + number - 1] = '2';
        }
        if (number)
            i += number;
        else
            i = at[i] == '"' ? string_end(at, i, len) : i + 1;
    }
}

json_t *json_wide_read(struct text json, size_t flags, json_error_t *error)
{
    json_error_t own = {.line = 0};
    error = error ? error : &own;
    json_t *value = json_loadb(json.at, json.len, flags, error);
    if (value || json_error_code(error) != json_error_numeric_overflow)
        return value;
    char *copy = malloc(json.len + 1);
    if (!copy) {
        error->text[JSON_ERROR_TEXT_LENGTH - 1] = json_error_out_of_memory; /* where json_error_code() finds it */
        return NULL;
    }
    memcpy(copy, json.at, json.len);
    copy[json.len] = '\0';
    narrow(copy, json.len);
    value = json_loadb(copy, json.len, flags, error);
    free(copy);
    return value;
}
