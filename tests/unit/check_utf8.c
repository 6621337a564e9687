#include "lib/wire/utf8.h"
#include "tests/run_suite.h"

#include <check.h>
#include <stdlib.h>

/* The oracle: takes the bits of a sequence together and asks whether the code point is allowed and the form shortest. */
static unsigned expected_length(const unsigned char *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned bytes = at[0] < 0x80 ? 1 : (at[0] & 0xE0) == 0xC0 ? 2 : (at[0] & 0xF0) == 0xE0 ? 3 : (at[0] & 0xF8) == 0xF0 ? 4 : 0;
    if (bytes == 1)
        return 1;
    if (bytes == 0 || left < bytes)
        return 0;
    uint32_t point = at[0] & (0x7Fu >> bytes);
    for (unsigned i = 1; i < bytes; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3F);
    }
    bool allowed = point >= least[bytes] && point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
    return allowed ? bytes : 0;
}

static void compare(const unsigned char *bytes, size_t count)
{
    unsigned got = utf8_sequence(bytes, bytes + count), expected = expected_length(bytes, count);
    if (got != expected)
        ck_abort_msg("%02X %02X %02X %02X of %zu: got %u, expected %u", bytes[0], bytes[1], bytes[2], bytes[3], count, got,
                     expected);
}

START_TEST(every_beginning_is_judged_as_its_bits_say)
{
    static const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xFF};
    for (unsigned three = 0; three < 0x1000000; three += three >= 0x800000 ? 1 : 0x7F) {
        unsigned char bytes[4] = {(unsigned char)(three >> 16), (unsigned char)(three >> 8), (unsigned char)three, 0};
        for (size_t count = 1; count <= 3; count++)
            compare(bytes, count);
        for (size_t i = 0; bytes[0] >= 0xF0 && i < sizeof edges; i++) {
            bytes[3] = edges[i];
            compare(bytes, 4);
        }
    }
}
END_TEST

START_TEST(what_is_encoded_is_one_sequence)
{
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        unsigned char bytes[4] = {0};
        if (point >= 0xD800 && point <= 0xDFFF)
            continue;
        unsigned length = utf8_encode(bytes, point);
        uint32_t back = length == 1 ? bytes[0] : bytes[0] & (0x7Fu >> length);
        for (unsigned i = 1; i < length; i++)
            back = back << 6 | (bytes[i] & 0x3F);
        if (expected_length(bytes, length) != length || back != point)
            ck_abort_msg("U+%04X: %u bytes, back as U+%04X", point, length, back);
    }
}
END_TEST

START_TEST(a_text_is_valid_when_all_of_it_is)
{
    static const char *const good[] = {"", "a", "exactly8", "nine byte", "caf\xC3\xA9", "12345678\xF0\x9F\x98\x80",
                                       "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"};
    static const char *const bad[] = {"\xC3", "1234567\xC3", "12345678\x80", "\xED\xA0\x80", "12345678abc\xC0\xAF",
                                      "\xF4\x90\x80\x80", "abc\xFFxyz01234"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(utf8_valid(text_of(good[i])), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!utf8_valid(text_of(bad[i])), "bad %zu", i);
    ck_assert(utf8_valid((struct text){"a\0b", 3}));
    const unsigned char *end = (const unsigned char *)"a";
    ck_assert_uint_eq(utf8_sequence(end, end), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_beginning_is_judged_as_its_bits_say);
    tcase_add_test(tcase, what_is_encoded_is_one_sequence);
    tcase_add_test(tcase, a_text_is_valid_when_all_of_it_is);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
