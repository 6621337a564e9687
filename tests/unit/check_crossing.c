/* Patterns that have a model in common: what is found is of both, and it is found where there is one. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "lib/config/crossing.h"
#include "tests/run_suite.h"

static bool meet(const char *a, const char *b, char whole[256])
{
    struct arena memory = {0};
    struct model_id model;
    const bool found = crossing_model(text_of(a), text_of(b), &memory, &model);
    if (found) {
        ck_assert_msg(model_pattern_matches(text_of(a), &model), "%s: %.*s", a, (int)model.whole.len, model.whole.at);
        ck_assert_msg(model_pattern_matches(text_of(b), &model), "%s: %.*s", b, (int)model.whole.len, model.whole.at);
        snprintf(whole, 256, "%.*s", (int)model.whole.len, model.whole.at);
    }
    arena_free(&memory);
    return found;
}

START_TEST(what_is_left_out_is_any)
{
    char whole[256];
    ck_assert(meet("shop", "*/detector", whole));
    ck_assert_str_eq(whole, "shop/detector/*");
    ck_assert(meet("a*", "*b", whole));
    ck_assert_str_eq(whole, "a*b/*/*");
    ck_assert(meet("a?", "?é/x/v*", whole));
    ck_assert_str_eq(whole, "aé/x/v*");
    ck_assert(!meet("shop/detector/v1", "shop/detector/v2", whole));
    ck_assert(!meet("a?", "a", whole));
    ck_assert(!meet("é", "?a", whole));
}
END_TEST

static bool matches(const char *pattern, const char *name)
{
    char whole[64];
    struct model_id id;
    snprintf(whole, sizeof whole, "%s/n/v", name);
    ck_assert_int_eq(model_id_parse(&id, text_of(whole)), 0);
    return model_pattern_matches(text_of(pattern), &id);
}

/* Whether some name of up to so many letters is of both. */
static bool share_one(const char *a, const char *b, char name[16], int len)
{
    if (len && matches(a, name) && matches(b, name))
        return true;
    for (char letter = 'a'; letter <= 'c' && len < 6; letter++) {
        name[len] = letter;
        name[len + 1] = '\0';
        if (share_one(a, b, name, len + 1))
            return true;
    }
    name[len] = '\0';
    return false;
}

START_TEST(all_short_patterns)
{
    static const char letters[] = "ab*?";
    uint64_t draw = 3;
    int found = 0;
    for (int i = 0; i < 400; i++) {
        char pattern[2][8] = {"", ""}, name[16] = "", whole[256];
        for (int p = 0; p < 2; p++) {
            draw = draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            const int len = 1 + (int)(draw >> 60 & 3);
            for (int k = 0; k < len; k++)
                pattern[p][k] = letters[draw >> (40 + 2 * k) & 3];
        }
        const bool there = share_one(pattern[0], pattern[1], name, 0);
        ck_assert_msg(meet(pattern[0], pattern[1], whole) == there, "%s %s: %s", pattern[0], pattern[1], name);
        found += there;
    }
    ck_assert_int_gt(found, 100);
    ck_assert_int_lt(found, 350);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crossing");
    TCase *tcase = tcase_create("crossing");
    tcase_add_test(tcase, what_is_left_out_is_any);
    tcase_add_test(tcase, all_short_patterns);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
