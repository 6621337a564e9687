#include "tests/run_suite.h"
#include "tests/unit/wire_walk.h"

#include <check.h>
#include <math.h>

#define ROW(bytes, line) {{bytes, sizeof bytes - 1}, line}

/* Each value stands in an array of one, "\x91", for a payload is an array or a map. */
static const struct {
    struct text bytes;
    const char *line;
} good[] = {
    ROW("\x80", "{}"),
    ROW("\x90", "[]"),
    ROW("\x91\x00", "[0]"),
    ROW("\x91\x7F", "[127]"),
    ROW("\x91\xE0", "[-32]"),
    ROW("\x91\xFF", "[-1]"),
    ROW("\x91\xC0", "[null]"),
    ROW("\x92\xC2\xC3", "[false true]"),
    ROW("\x91\xCC\xFF", "[255]"),
    ROW("\x91\xCD\xFF\xFE", "[65534]"),
    ROW("\x91\xCE\xFF\xFF\xFF\xFE", "[4294967294]"),
    ROW("\x91\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "[18446744073709551615]"),
    ROW("\x91\xD0\x80", "[-128]"),
    ROW("\x91\xD0\x7F", "[127]"),
    ROW("\x91\xD1\x80\x00", "[-32768]"),
    ROW("\x91\xD1\x7F\xFF", "[32767]"),
    ROW("\x91\xD2\x80\x00\x00\x00", "[-2147483648]"),
    ROW("\x91\xD3\x80\x00\x00\x00\x00\x00\x00\x00", "[-9223372036854775808]"),
    ROW("\x91\xD3\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "[9223372036854775807]"),
    ROW("\x91\xD3\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "[-1]"),
    ROW("\x91\xCA\x3F\x00\x00\x00", "[0.5]"),
    ROW("\x91\xCA\x3D\xCC\xCC\xCD", "[0.10000000149011612]"),
    ROW("\x91\xCA\x7F\x80\x00\x00", "[inf]"),
    ROW("\x91\xCB\x3F\xB9\x99\x99\x99\x99\x99\x9A", "[0.10000000000000001]"),
    ROW("\x91\xCB\xFF\xF0\x00\x00\x00\x00\x00\x00", "[-inf]"),
    ROW("\x91\xA0", "[\"\"]"),
    ROW("\x91\xA3" "abc", "[\"abc\"]"),
    ROW("\x91\xBF" "0123456789012345678901234567890", "[\"0123456789012345678901234567890\"]"),
    ROW("\x91\xD9\x03" "abc", "[\"abc\"]"),
    ROW("\x91\xDA\x00\x03" "a\0c", "[\"a\\x00c\"]"),
    ROW("\x91\xDB\x00\x00\x00\x02\xC3\xA9", "[\"\\xC3\\xA9\"]"),
    ROW("\x91\xC4\x02\xFF\x00", "[#]"),
    ROW("\x91\xC5\x00\x01\xFF", "[#]"),
    ROW("\x91\xC6\x00\x00\x00\x00", "[#]"),
    ROW("\x91\xD6\xFF\x00\x00\x00\x01", "[@1]"),
    ROW("\x91\xD6\xFF\xFF\xFF\xFF\xFF", "[@4294967295]"),
    ROW("\x91\xD7\xFF\x77\x35\x94\x00\x00\x00\x00\x01", "[@1.5]"),         /* 500,000,000 << 34 | 1 */
    ROW("\x91\xD7\xFF\x00\x00\x00\x03\xFF\xFF\xFF\xFF", "[@17179869183]"), /* 34 bits */
    ROW("\x91\xC7\x0C\xFF\x1D\xCD\x65\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE", "[@-1.5]"),
    ROW("\x91\xC7\x04\xFF\x00\x00\x00\x01", "[@1]"), /* timestamp 32 in ext 8 */
    ROW("\x91\xC7\x0C\xFF\x3B\x9A\xCA\x00\x00\x00\x00\x00\x00\x00\x00\x00", "[@nan]"), /* 10^9 nanoseconds */
    ROW("\x91\xD4\xFF\x00", "[#]"), /* type -1 of a length that no timestamp has */
    ROW("\x91\xD6\x01\x00\x00\x00\x01", "[#]"),
    ROW("\x91\xD5\x01\x00\x01", "[#]"),
    ROW("\x91\xD8\x01" "0123456789abcdef", "[#]"),
    ROW("\x91\xC7\x00\x05", "[#]"),
    ROW("\x91\xC8\x00\x01\x05\x00", "[#]"),
    ROW("\x91\xC9\x00\x00\x00\x01\x05\x00", "[#]"),
    ROW("\xDC\x00\x02\x01\x02", "[1 2]"),
    ROW("\xDD\x00\x00\x00\x01\x90", "[[]]"),
    ROW("\x82\xA1" "a\x01\xA1" "b\x81\xA1" "a\x02", "{\"a\":1 \"b\":{\"a\":2}}"),
    ROW("\xDE\x00\x01\xA1" "a\x01", "{\"a\":1}"),
    ROW("\xDF\x00\x00\x00\x01\xA0\xC0", "{\"\":null}"),
    ROW("\x83\x01\x02\x01\x03\xA1" "a\x01", "{?:2 ?:3 \"a\":1}"), /* names that are no strings are not compared */
    ROW("\x82\x92\x01\x80\x01\xC4\x01\xFF\x02", "{?:1 ?:2}"),
    ROW("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x10", "[[[[[[[[[[[[[[[[16]]]]]]]]]]]]]]]]"),
};

static const struct {
    struct text bytes;
    const char *line;
} bad[] = {
    ROW("\xC0", "error: the first byte begins neither a JSON nor a MessagePack object or array"),
    ROW("\x00", "error: the first byte begins neither a JSON nor a MessagePack object or array"),
    ROW("\xA1" "a", "error: the first byte begins neither a JSON nor a MessagePack object or array"),
    ROW("\x80\x80", "error: something follows the value"),
    ROW("\x80 ", "error: something follows the value"),
    ROW("\x91\xC1", "error: there is a byte that MessagePack never uses"),
    ROW("\x92\x01", "error: an array or a map claims more than the payload holds"),
    ROW("\x81\xA1", "error: an array or a map claims more than the payload holds"),
    ROW("\x81\xA1" "a", "error: the payload ends in the middle of a value"),
    ROW("\x91\xCB\x00\x00\x00", "error: the payload ends in the middle of a value"),
    ROW("\x91\xA5" "abc", "error: the payload ends in the middle of a value"),
    ROW("\x91\xD9\xFF", "error: the payload ends in the middle of a value"),
    ROW("\x91\xDB\xFF\xFF\xFF\xFF" "abc", "error: the payload ends in the middle of a value"),
    ROW("\x91\xC6\xFF\xFF\xFF\xFF" "abc", "error: the payload ends in the middle of a value"),
    ROW("\x91\xC9\xFF\xFF\xFF\xFF\xFF" "abc", "error: the payload ends in the middle of a value"),
    ROW("\xDC\xFF\xFF\x01", "error: an array or a map claims more than the payload holds"),
    ROW("\xDD\xFF\xFF\xFF\xFF\x01", "error: an array or a map claims more than the payload holds"),
    ROW("\xDF\xFF\xFF\xFF\xFF\x01\x01", "error: an array or a map claims more than the payload holds"),
    ROW("\xDF\x80\x00\x00\x00\x01\x01", "error: an array or a map claims more than the payload holds"),
    ROW("\xDE\x00\x02\xA1" "a\x01", "error: an array or a map claims more than the payload holds"),
    ROW("\x91\xA1\xFF", "error: a string is not UTF-8"),
    ROW("\x81\xA1\xFF\x01", "error: a string is not UTF-8"),
    ROW("\x91\xA2\xC3(", "error: a string is not UTF-8"),
    ROW("\x82\xA1" "a\x01\xA1" "a\x01", "error: an object has the same member twice"),
    ROW("\x82\xA1" "a\x01\xD9\x01" "a\x01", "error: an object has the same member twice"),
    ROW("\x91\x81\xA1" "x\x82\xA1" "a\x01\xA1" "a\x01", "error: an object has the same member twice"),
    ROW("\x81\x82\xA1" "a\x01\xA1" "a\x01\x01", "error: an object has the same member twice"), /* in a name */
    ROW("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x10",
        "error: arrays and objects are nested too deep"),
    ROW("\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81"
        "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81",
        "error: arrays and objects are nested too deep"),
};

START_TEST(well_formed_messagepack_is_read)
{
    char *line = walk(good[_i].bytes);
    ck_assert_str_eq(line, good[_i].line);
    free(line);
}
END_TEST

START_TEST(anything_else_is_refused)
{
    char *line = walk(bad[_i].bytes);
    ck_assert_str_eq(line, bad[_i].line);
    free(line);
}
END_TEST

START_TEST(no_truncation_is_well_formed)
{
    for (size_t len = 0; len < good[_i].bytes.len; len++) {
        char *line = walk((struct text){good[_i].bytes.at, len});
        ck_assert_msg(strncmp(line, "error: ", 7) == 0, "%zu bytes: %s", len, line);
        free(line);
    }
}
END_TEST

START_TEST(no_number_stays_no_number)
{
    struct metric_reader reader = {0};
    struct wire_value array, value;
    reader_begin(&reader, (struct text){"\x92\xCA\x7F\xC0\x00\x00\xCB\x7F\xF8\x00\x00\x00\x00\x00\x01", 15});
    reader_value(&reader, &array);
    for (int i = 0; i < 2; i++) {
        ck_assert(reader_element(&reader, &array));
        ck_assert(reader_value(&reader, &value) == WIRE_NUMBER);
        ck_assert(isnan(value.number) && !value.whole);
    }
    ck_assert(!reader_element(&reader, &array));
    reader_end(&reader);
    ck_assert_int_eq(reader.error, 0);
    reader_free(&reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("msgpack_reader");
    TCase *tcase = tcase_create("msgpack_reader");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, well_formed_messagepack_is_read, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(tcase, anything_else_is_refused, 0, sizeof bad / sizeof bad[0]);
    tcase_add_loop_test(tcase, no_truncation_is_well_formed, 0, sizeof good / sizeof good[0]);
    tcase_add_test(tcase, no_number_stays_no_number);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
