/* Times taken together are known as those taken one by one. */
#include <check.h>
#include <stdlib.h>

#include "bench/streams.h"
#include "lib/monitor/moments.h"
#include "tests/run_suite.h"

START_TEST(together_comes_to_the_same_as_one_by_one)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct stream s = stream_seeded(5, seed);
        struct moments one = {0}, together = {0};
        double at_s[16], now_s = 1e9;
        while (one.count < 3000) {
            const uint32_t count = (uint32_t)(stream_uniform(&s) * 17);
            for (uint32_t i = 0; i < count; i++) {
                at_s[i] = now_s += stream_uniform(&s);
                moments_add(&one, at_s[i]);
            }
            moments_add_all(&together, at_s, count);
            ck_assert_uint_eq(together.count, one.count);
            for (uint64_t index = 0; index < one.count; index += 1 + index / 64)
                ck_assert_msg(moments_get(&one, index) == moments_get(&together, index), "value %llu of %llu",
                              (unsigned long long)index, (unsigned long long)one.count);
        }
        moments_clear(&one);
        moments_clear(&together);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("moments");
    TCase *all = tcase_create("all");
    tcase_add_test(all, together_comes_to_the_same_as_one_by_one);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
