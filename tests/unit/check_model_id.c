#include "lib/model_id.h"
#include "tests/run_suite.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static struct text text_n(const char *at, size_t len)
{
    return (struct text){at, len};
}

static const struct {
    const char *segment;
    bool valid;
} segments[] = {
    {"v", true},
    {"object-detector", true},
    {"v1.2.3", true},
    {"two words", true},
    {"Stra\xc3\x9f"
     "e",
     true},
    {"\xe2\x82\xac", true},     /* U+20AC */
    {"\xf0\x9f\x93\xb7", true}, /* U+1F4F7 */
    {"\xf4\x8f\xbf\xbf", true}, /* U+10FFFF */
    {"\xed\x9f\xbf", true},     /* U+D7FF, the last before the surrogates */
    {"\xc2\xa0", true},         /* U+00A0: no ASCII space, no control */
    {"a]b", true},
    {"", false},
    {" a", false},
    {"a ", false},
    {" ", false},
    {"a/b", false},
    {"a*", false},
    {"?", false},
    {"[a]", false},
    {"a\tb", false},
    {"a\nb", false},
    {"\x1f", false},
    {"a\x7f", false},
    {"\xc2\x80", false}, /* U+0080 and U+009F: C1 */
    {"a\xc2\x9f", false},
    {"\x80", false},     /* a continuation alone */
    {"\xc0\xaf", false}, /* overlong '/' */
    {"\xc1\xbf", false},
    {"\xe0\x9f\xbf", false},     /* overlong */
    {"\xf0\x8f\xbf\xbf", false}, /* overlong */
    {"\xed\xa0\x80", false},     /* U+D800 */
    {"\xf4\x90\x80\x80", false}, /* U+110000 */
    {"\xf5\x80\x80\x80", false},
    {"\xff", false},
    {"a\xe2\x82", false}, /* cut */
    {"\xe2\x28\xa1", false},
    {"\xe2\x82(", false},
};

START_TEST(segment_rules)
{
    const char *segment = segments[_i].segment;
    size_t len = strlen(segment);
    char *copy = malloc(len + 1); /* of the very size for the sanitizer; no NUL behind it */
    memcpy(copy, segment, len);
    ck_assert_msg(model_id_segment_valid(text_n(copy, len)) == segments[_i].valid, "segment %d", _i);
    free(copy);
}
END_TEST

START_TEST(segment_holds_no_nul_and_1_to_128_bytes)
{
    char longest[129];
    memset(longest, 'x', sizeof longest);
    ck_assert(!model_id_segment_valid(text_n("a\0b", 3)));
    ck_assert(model_id_segment_valid(text_n(longest, 128)));
    ck_assert(!model_id_segment_valid(text_n(longest, 129)));
    ck_assert(!model_id_segment_valid(text_n(NULL, 0)));
    for (size_t i = 0; i < 128; i += 2)
        memcpy(longest + i, "\xc3\xa9", 2); /* 64 characters */
    ck_assert(model_id_segment_valid(text_n(longest, 128)));
}
END_TEST

START_TEST(id_has_three_parts)
{
    static const char id_text[] = "visutility/object-detector/v1.2.3";
    struct model_id id;
    ck_assert_int_eq(model_id_parse(&id, text_of(id_text)), 0);
    ck_assert(text_is(id.whole, id_text));
    ck_assert(text_is(id.project, "visutility"));
    ck_assert(text_is(id.name, "object-detector"));
    ck_assert(text_is(id.version, "v1.2.3"));
    ck_assert(text_is(model_id_family(&id), "visutility/object-detector"));
    ck_assert(text_is(model_id_family_of(id.whole), "visutility/object-detector"));
    ck_assert_ptr_eq(id.whole.at, id_text); /* borrowed */
    ck_assert_ptr_eq(id.version.at, id_text + 27);
}
END_TEST

/* Whatever it is made of: an id is three valid segments with a slash between each two. */
START_TEST(an_id_is_three_segments)
{
    static const char bytes[] = "ab1._-///  *?[\n\x7f\xc3\xa9";
    uint64_t state = 3;
    for (int round = 0; round < 200000; round++) {
        char text[12];
        struct text part[4] = {{0}};
        size_t len = (size_t)(round % 12), parts = 0, from = 0;
        for (size_t i = 0; i <= len && parts < 4; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            if (i < len)
                text[i] = bytes[(state >> 33) % (sizeof bytes - 1)];
            if (i == len || text[i] == '/') {
                part[parts++] = (struct text){text + from, i - from};
                from = i + 1;
            }
        }
        const bool valid = parts == 3 && model_id_segment_valid(part[0]) && model_id_segment_valid(part[1]) &&
                           model_id_segment_valid(part[2]);
        struct model_id id;
        ck_assert_int_eq(model_id_parse(&id, text_n(text, len)), valid ? 0 : -EINVAL);
        if (valid)
            ck_assert(text_equal(id.project, part[0]) && text_equal(id.name, part[1]) && text_equal(id.version, part[2]));
    }
}
END_TEST

static const char *const no_ids[] = {"",       "/",       "//",     "a",     "a/b",    "a/b/",   "/b/c",    "a//c",
                                     "a/b/c/", "a/b/c/d", "/a/b/c", "a/b/*", "a/b?/c", "a /b/c", "a/b/c\n", "a/\xff/c"};

/* By what a segment is. */
static bool is_id(struct text text)
{
    const char *first = memchr(text.at, '/', text.len), *second = memrchr(text.at, '/', text.len);
    if (!first || first == second)
        return false;
    return model_id_segment_valid((struct text){text.at, (size_t)(first - text.at)}) &&
           model_id_segment_valid((struct text){first + 1, (size_t)(second - first - 1)}) &&
           model_id_segment_valid((struct text){second + 1, text.len - (size_t)(second + 1 - text.at)});
}

/* Ids are looked at sixteen bytes at a time: each byte at each place of one of each length, and the slashes anywhere.
 */
START_TEST(any_byte_anywhere)
{
    static const size_t lengths[] = {5, 8, 15, 16, 17, 22, 31, 32, 33, 48, 49, 63, 64, 65, 84};
    struct model_id id;
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
        for (size_t at = 0, len = lengths[k]; at < len; at++)
            for (int byte = 0; byte < 256; byte++) {
                const size_t first = 1 + (at + (size_t)byte) % (len - 4),
                             second = first + 2 + (7 * at + (size_t)byte) % (len - first - 3);
                char *text = malloc(len); /* of the very size for the sanitizer */
                memset(text, 'a', len);
                text[first] = text[second] = '/';
                text[at] = (char)byte;
                const struct text whole = {text, len};
                const bool good = is_id(whole);
                ck_assert_msg((model_id_parse(&id, whole) == 0) == good, "%zu bytes, %d at %zu", len, byte, at);
                if (good)
                    ck_assert(id.whole.at == text && id.whole.len == len && id.project.at == text &&
                              id.name.at == text + id.project.len + 1 &&
                              id.version.at == id.name.at + id.name.len + 1 &&
                              id.version.at + id.version.len == text + len && id.version.at[-1] == '/' &&
                              id.name.at[-1] == '/');
                free(text);
            }
}
END_TEST

START_TEST(what_is_no_id_leaves_the_output_alone)
{
    struct model_id id;
    memset(&id, 0x5a, sizeof id);
    struct model_id before = id;
    ck_assert_msg(model_id_parse(&id, text_of(no_ids[_i])) == -EINVAL, "'%s'", no_ids[_i]);
    ck_assert_mem_eq(&id, &before, sizeof id);
}
END_TEST

START_TEST(id_at_its_longest)
{
    char longest[MODEL_ID_MAX + 1];
    memset(longest, 'x', sizeof longest);
    longest[128] = longest[257] = '/';
    struct model_id id;
    ck_assert_int_eq(model_id_parse(&id, text_n(longest, MODEL_ID_MAX)), 0);
    ck_assert_uint_eq(id.version.len, 128);
    ck_assert_int_eq(model_id_parse(&id, text_n(longest, MODEL_ID_MAX + 1)), -EINVAL);
}
END_TEST

static const struct {
    const char *pattern, *id;
    bool matches;
} globs[] = {
    {"*", "visutility/object-detector/v1", true},
    {"visutility", "visutility/object-detector/v1", true},
    {"visutilit", "visutility/object-detector/v1", false},
    {"visutility/object-detector", "visutility/object-detector/v1", true},
    {"visutility/object-detector/v1", "visutility/object-detector/v1", true},
    {"visutility/object-detector/v", "visutility/object-detector/v1", false},
    {"visutility/object-detector/v1?", "visutility/object-detector/v1", false},
    {"vis*", "visutility/a/b", true},
    {"*vis*", "visutility/a/b", true},
    {"*y", "visutility/a/b", true},
    {"*x", "visutility/a/b", false},
    {"*/a", "visutility/a/b", true},
    {"*/b", "visutility/a/b", false},
    {"*/*/b", "visutility/a/b", true},
    {"*a*", "p/a/b", false}, /* '*' stays within its segment */
    {"p*b", "p/a/b", false},
    {"?", "p/a/b", true},
    {"??", "p/a/b", false},
    {"p/?\?/b", "p/ab/b", true},
    {"p/?\?/b", "p/a/b", false},
    {"p/?/b", "p/\xe2\x82\xac/b", true}, /* one character of three bytes */
    {"p/?\?/b", "p/\xe2\x82\xac/b", false},
    {"p/*?/b", "p/\xe2\x82\xac/b", true},
    {"p/*?\?/b", "p/\xe2\x82\xac/b", false},
    {"p/?*\xac/b", "p/x\xe2\x82\xac/b", false}, /* no checked pattern: not valid UTF-8 */
    {"p/*\xe2\x82\xac/b", "p/x\xe2\x82\xac/b", true},
    {"p/**a**/b", "p/a/b", true},
    {"p/a*b*c/b", "p/axbxbxc/b", true},
    {"p/a*b*c/b", "p/axbxbx/b", false},
    {"p/*ab/b", "p/aab/b", true},
    {"p/*aab/b", "p/aaab/b", true},
    {"P", "p/a/b", false}, /* case counts */
};

START_TEST(patterns_match)
{
    struct model_id id;
    const char *why = NULL;
    struct text pattern = text_of(globs[_i].pattern);
    ck_assert_int_eq(model_id_parse(&id, text_of(globs[_i].id)), 0);
    if (model_pattern_check(pattern, &why) != 0)
        ck_assert(!globs[_i].matches);
    else
        ck_assert_msg(model_pattern_matches(pattern, &id) == globs[_i].matches, "'%s' '%s'", globs[_i].pattern,
                      globs[_i].id);
}
END_TEST

static const struct {
    const char *pattern, *why; /* a word of the reason */
} no_patterns[] = {
    {"", "empty"},           {"a/", "empty"},     {"/", "empty"},        {"a//c", "empty"}, {"a/b/c/d", "three"},
    {"a/b/c/", "three"},     {" a", "space"},     {"a/b ", "space"},     {"[ab]", "'['"},   {"a\x01", "control"},
    {"\xc2\x85", "control"}, {"a/\xff", "UTF-8"}, {"\xe2\x82", "UTF-8"},
};

START_TEST(what_is_no_pattern_is_told_why)
{
    const char *why = NULL;
    ck_assert_int_eq(model_pattern_check(text_of(no_patterns[_i].pattern), &why), -EINVAL);
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(strstr(why, no_patterns[_i].why) != NULL, "'%s': %s", no_patterns[_i].pattern, why);
}
END_TEST

START_TEST(pattern_too_long_to_match)
{
    char pattern[300];
    const char *why = NULL;
    memset(pattern, 'x', sizeof pattern);
    ck_assert_int_eq(model_pattern_check(text_n(pattern, 128), &why), 0);
    ck_assert_int_eq(model_pattern_check(text_n(pattern, 129), &why), -EINVAL);
    pattern[0] = '*'; /* may stand for nothing */
    ck_assert_int_eq(model_pattern_check(text_n(pattern, 129), &why), 0);
    ck_assert_int_eq(model_pattern_check(text_n(pattern, 130), &why), -EINVAL);
}
END_TEST

/* Matching by definition, over characters of one byte: the oracle for random patterns of few letters. */
static bool naive(const char *p, const char *s)
{
    if (*p == '*')
        return naive(p + 1, s) || (*s && naive(p, s + 1));
    if (*p == '\0' || *s == '\0')
        return *p == *s;
    return (*p == '?' || *p == *s) && naive(p + 1, s + 1);
}

START_TEST(patterns_agree_with_the_definition)
{
    uint64_t state = 7;
    int matched = 0;
    for (int round = 0; round < 200000; round++) {
        char pattern[8] = {0}, id_text[16] = {0};
        const char *why;
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t bits = state >> 20;
        size_t lengths[2] = {1 + bits % 7, 1 + (bits >> 3) % 8};
        bits >>= 6;
        for (size_t i = 0; i < lengths[0]; i++, bits >>= 2)
            pattern[i] = "ab*?"[bits & 3];
        for (size_t i = 0; i < lengths[1]; i++, bits >>= 1)
            id_text[i] = "ab"[bits & 1];
        bool expected = naive(pattern, id_text);
        memcpy(id_text + lengths[1], "/n/v", 4);
        struct model_id id;
        ck_assert_int_eq(model_id_parse(&id, text_of(id_text)), 0);
        ck_assert_int_eq(model_pattern_check(text_of(pattern), &why), 0);
        ck_assert_msg(model_pattern_matches(text_of(pattern), &id) == expected, "%s %s", pattern, id_text);
        matched += expected;
    }
    ck_assert_int_gt(matched, 10000);
    ck_assert_int_lt(matched, 190000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_id");
    TCase *tcase = tcase_create("model_id");
    tcase_add_loop_test(tcase, segment_rules, 0, sizeof segments / sizeof segments[0]);
    tcase_add_test(tcase, segment_holds_no_nul_and_1_to_128_bytes);
    tcase_add_test(tcase, id_has_three_parts);
    tcase_add_test(tcase, an_id_is_three_segments);
    tcase_add_test(tcase, any_byte_anywhere);
    tcase_add_loop_test(tcase, what_is_no_id_leaves_the_output_alone, 0, sizeof no_ids / sizeof no_ids[0]);
    tcase_add_test(tcase, id_at_its_longest);
    tcase_add_loop_test(tcase, patterns_match, 0, sizeof globs / sizeof globs[0]);
    tcase_add_loop_test(tcase, what_is_no_pattern_is_told_why, 0, sizeof no_patterns / sizeof no_patterns[0]);
    tcase_add_test(tcase, pattern_too_long_to_match);
    tcase_add_test(tcase, patterns_agree_with_the_definition);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
