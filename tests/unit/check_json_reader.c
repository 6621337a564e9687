#include "tests/run_suite.h"
#include "tests/unit/wire_walk.h"

#include <check.h>

/* The length of a literal, so that a NUL may stand in it. */
#define ROW(json, line) {{json, sizeof json - 1}, line}

static const struct {
    struct text json;
    const char *line;
} good[] = {
    ROW("{}", "{}"),
    ROW("[]", "[]"),
    ROW(" \t\r\n[ ] \n", "[]"),
    ROW(" true", "true"),
    ROW("[1,-2,0.5,1e3,-0,0]", "[1 -2 0.5 1000 -0 0]"),
    ROW("[true,false,null]", "[true false null]"),
    ROW("{\"a\":1,\"b\":[{},[]],\"c\":{\"a\":{\"a\":2}}}", "{\"a\":1 \"b\":[{} []] \"c\":{\"a\":{\"a\":2}}}"),
    ROW("{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":1 \"b\":2}"),
    ROW("{\"\":\"\"}", "{\"\":\"\"}"),
    ROW("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\x22\\x5C/\\x08\\x0C\\x0A\\x0D\\x09\"]"),
    ROW("[\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\\u0000\"]", "[\"A\\xC3\\xA9\\xE2\\x82\\xAC\\xF0\\x9F\\x98\\x80\\x00\"]"),
    ROW("[\"before\\u0041after\",\"caf\xC3\xA9 \\n caf\xC3\xA9\"]", "[\"beforeAafter\" \"caf\\xC3\\xA9 \\x0A caf\\xC3\\xA9\"]"),
    ROW("[\"caf\xC3\xA9\",\"\xF0\x9F\x98\x80\",\"\xF4\x8F\xBF\xBF\"]",
        "[\"caf\\xC3\\xA9\" \"\\xF0\\x9F\\x98\\x80\" \"\\xF4\\x8F\\xBF\\xBF\"]"),
    ROW("[\"\x7F\"]", "[\"\\x7F\"]"),
    ROW("[\"exactly8\",\"seven77\",\"nine99999\",\"sixteensixteen16\"]",
        "[\"exactly8\" \"seven77\" \"nine99999\" \"sixteensixteen16\"]"),
    ROW("{\"acc\\u0075racy\":1,\"accurac\":2}", "{\"accuracy\":1 \"accurac\":2}"),
    ROW("[[[[[[[[[[[[[[[[16]]]]]]]]]]]]]]]]", "[[[[[[[[[[[[[[[[16]]]]]]]]]]]]]]]]"),
    ROW("[1e400,-1e400]", "[inf -inf]"),
    ROW("[18446744073709551615,18446744073709551616]", "[18446744073709551615 1.8446744073709552e+19]"),
};

static const struct {
    struct text json;
    const char *line;
} bad[] = {
    ROW("", "error: the payload is empty"),
    ROW("5", "error: the first byte begins neither a JSON nor a MessagePack object or array"),
    ROW("\"a\"", "error: the first byte begins neither a JSON nor a MessagePack object or array"),
    ROW("\xEF\xBB\xBF{}", "error: the first byte begins neither a JSON nor a MessagePack object or array"),
    ROW("\0{}", "error: the first byte begins neither a JSON nor a MessagePack object or array"),
    ROW(" ", "error: the payload ends in the middle of a value"),
    ROW("{", "error: the payload ends in the middle of a value"),
    ROW("[", "error: the payload ends in the middle of a value"),
    ROW("{}}", "error: something follows the value"),
    ROW("{} {}", "error: something follows the value"),
    ROW("{}\0", "error: something follows the value"),
    ROW("[1,]", "error: there is no value that JSON knows"),
    ROW("[,1]", "error: there is no value that JSON knows"),
    ROW("[1,,2]", "error: there is no value that JSON knows"),
    ROW("[1 2]", "error: a comma or a closing bracket is missing"),
    ROW("[1}", "error: a comma or a closing bracket is missing"),
    ROW("[1\0]", "error: there is a byte that JSON does not know"),
    ROW("[\0]", "error: there is a byte that JSON does not know"),
    ROW("[\x0B]", "error: there is no value that JSON knows"),
    ROW("{\"a\":1,}", "error: a member's name is missing"),
    ROW("{,\"a\":1}", "error: a member's name is missing"),
    ROW("{a:1}", "error: a member's name is missing"),
    ROW("{1:1}", "error: a member's name is missing"),
    ROW("{'a':1}", "error: a member's name is missing"),
    ROW("{\"a\" 1}", "error: the colon after a member's name is missing"),
    ROW("{\"a\"}", "error: the colon after a member's name is missing"),
    ROW("{\"a\":}", "error: there is no value that JSON knows"),
    ROW("{\"a\":1 \"b\":2}", "error: a comma or a closing bracket is missing"),
    ROW("{\"a\":1]", "error: a comma or a closing bracket is missing"),
    ROW("[01]", "error: a comma or a closing bracket is missing"),
    ROW("[-01]", "error: a comma or a closing bracket is missing"),
    ROW("[1.]", "error: there is no value that JSON knows"),
    ROW("[.5]", "error: there is no value that JSON knows"),
    ROW("[+1]", "error: there is no value that JSON knows"),
    ROW("[1e]", "error: there is no value that JSON knows"),
    ROW("[-]", "error: there is no value that JSON knows"),
    ROW("[0x1]", "error: a comma or a closing bracket is missing"),
    ROW("[NaN]", "error: there is no value that JSON knows"),
    ROW("[Infinity]", "error: there is no value that JSON knows"),
    ROW("[-Infinity]", "error: there is no value that JSON knows"),
    ROW("[nan]", "error: there is neither a value nor true, false or null"),
    ROW("[nul]", "error: there is neither a value nor true, false or null"),
    ROW("[True]", "error: there is no value that JSON knows"),
    ROW("[truefalse]", "error: a comma or a closing bracket is missing"),
    ROW("[1] // no", "error: something follows the value"),
    ROW("[/* no */1]", "error: there is no value that JSON knows"),
    ROW("{\"a\":1,\"a\":1}", "error: an object has the same member twice"),
    ROW("{\"a\":1,\"\\u0061\":1}", "error: an object has the same member twice"),
    ROW("{\"\":1,\"\":1}", "error: an object has the same member twice"),
    ROW("[{\"x\":[{\"a\":1,\"b\":{\"q\":1},\"a\":1}]}]", "error: an object has the same member twice"),
    ROW("[\"\x1F\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"a\nb\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"a\0b\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"\\n\x01\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"\x80\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"\xC3\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"\xC0\xAF\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"\xED\xA0\x80\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"\xF5\x80\x80\x80\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"\\t\xFF\"]", "error: a string holds a control character or is not UTF-8"),
    ROW("{\"\xFF\":1}", "error: a string holds a control character or is not UTF-8"),
    ROW("[\"\\x41\"]", "error: a backslash escapes nothing that JSON knows"),
    ROW("[\"\\\0\"]", "error: a backslash escapes nothing that JSON knows"),
    ROW("[\"\\U0041\"]", "error: a backslash escapes nothing that JSON knows"),
    ROW("[\"\\u004\"]", "error: \\u needs four hexadecimal digits"),
    ROW("[\"\\u00G0\"]", "error: \\u needs four hexadecimal digits"),
    ROW("[\"\\u 041\"]", "error: \\u needs four hexadecimal digits"),
    ROW("[\"\\uD800\"]", "error: half of a surrogate pair stands alone"),
    ROW("[\"\\uDC00\"]", "error: half of a surrogate pair stands alone"),
    ROW("[\"\\uDC00\\uD800\"]", "error: half of a surrogate pair stands alone"),
    ROW("[\"\\uD800\\uD800\"]", "error: half of a surrogate pair stands alone"),
    ROW("[\"\\uD800\\n\"]", "error: half of a surrogate pair stands alone"),
    ROW("[\"\\uD800abcdef\"]", "error: half of a surrogate pair stands alone"),
    ROW("[\"\\uD83D\\uDE0\"]", "error: half of a surrogate pair stands alone"),
    ROW("[\"a", "error: the payload ends in the middle of a string"),
    ROW("[\"a\\n", "error: the payload ends in the middle of a string"),
    ROW("[[[[[[[[[[[[[[[[[17]]]]]]]]]]]]]]]]]", "error: arrays and objects are nested too deep"),
};

START_TEST(well_formed_json_is_read)
{
    char *line = walk(good[_i].json);
    ck_assert_str_eq(line, good[_i].line);
    free(line);
}
END_TEST

START_TEST(anything_else_is_refused)
{
    char *line = walk(bad[_i].json);
    ck_assert_str_eq(line, bad[_i].line);
    free(line);
}
END_TEST

START_TEST(no_truncation_is_well_formed)
{
    struct text json = good[_i].json;
    while (json.len > 0 && strchr(" \n", json.at[json.len - 1]) != NULL)
        json.len--; /* white space at the end may go */
    for (size_t len = 0; len < json.len; len++) {
        char *line = walk((struct text){json.at, len});
        ck_assert_msg(strncmp(line, "error: ", 7) == 0, "%.*s: %s", (int)len, json.at, line);
        free(line);
    }
}
END_TEST

START_TEST(nesting_is_bounded_whatever_comes)
{
    static char deep[1000000];
    memset(deep, '[', sizeof deep);
    char *line = walk((struct text){deep, sizeof deep});
    ck_assert_str_eq(line, "error: arrays and objects are nested too deep");
    free(line);
}
END_TEST

START_TEST(an_error_sticks_and_keeps_its_place)
{
    struct metric_reader reader = {0};
    struct wire_value array, value;
    reader_begin(&reader, text_of("[1,x,2"));
    ck_assert(reader_value(&reader, &array) == WIRE_ARRAY);
    ck_assert(reader_element(&reader, &array) && reader_value(&reader, &value) == WIRE_NUMBER);
    ck_assert(reader_element(&reader, &array) && reader_value(&reader, &value) == WIRE_NONE);
    ck_assert_uint_eq(reader.where, 3);
    const char *why = reader.why;
    ck_assert(!reader_element(&reader, &array));
    ck_assert(reader_value(&reader, &value) == WIRE_NONE);
    reader_end(&reader);
    ck_assert_uint_eq(reader.where, 3);
    ck_assert_ptr_eq(reader.why, why);
    reader_free(&reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_reader");
    TCase *tcase = tcase_create("json_reader");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, well_formed_json_is_read, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(tcase, anything_else_is_refused, 0, sizeof bad / sizeof bad[0]);
    tcase_add_loop_test(tcase, no_truncation_is_well_formed, 0, sizeof good / sizeof good[0]);
    tcase_add_test(tcase, nesting_is_bounded_whatever_comes);
    tcase_add_test(tcase, an_error_sticks_and_keeps_its_place);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
