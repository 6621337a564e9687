#include "lib/siphash.h"
#include "tests/run_suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Key and data are the bytes 00, 01, 02, ...; the codes are what OpenSSL 3 gives for its first so many bytes:
 *   openssl mac -macopt hexkey:000102...0F -macopt size:8 [-macopt c-rounds:1 -macopt d-rounds:3] -in FILE SipHash */
static const struct {
    size_t bytes;
    const char *code24, *code13;
} vectors[] = {
    {0, "310E0EDD47DB6F72", "DCC40F055801ACAB"},  {1, "FD67DC93C539F874", "93CA577DF39BF4C9"},
    {7, "37D1018BF50002AB", "4011B19B987D92D3"},  {8, "6224939A79F5F593", "8E9A298D11959036"},
    {9, "B0E4A90BDF82009E", "E43D066CB38EA425"},  {15, "E545BE4961CA29A1", "5699512A6DD820D3"},
    {16, "DB9BC2577FCC2A3F", "668B907D1ADD4FCC"}, {31, "42C341D8FA92D832", "BCD1218C1FDD7023"},
    {63, "724506EB4C328A95", "A8B3BBB76290199D"},
};

/* The same data under a key of zeros, as CPython 3.11 hashes bytes with PYTHONHASHSEED=0. */
static const struct {
    size_t bytes;
    uint64_t code13;
} zero_key[] = {
    {1, 0x68a914128e01e473},  {7, 0x2f098ab0c751325a},  {8, 0xead411e67ebe2eea},  {9, 0x75927f9d95124362},
    {15, 0xf30eb725bb91c9ea}, {16, 0x8972188433a5c5b7}, {31, 0x169739443111d49b}, {63, 0x385d3e39e5f37359},
};

static uint64_t code_of(const char *hex)
{
    uint64_t code = 0;
    for (int i = 7; i >= 0; i--)
        code = code << 8 | strtoul((char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
    return code;
}

static unsigned char *counting(size_t bytes)
{
    unsigned char *data = malloc(bytes + 1); /* of the very size, so that a sanitizer sees a read beyond it */
    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)i;
    return data;
}

START_TEST(codes_are_those_of_openssl)
{
    const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    unsigned char *data = counting(vectors[_i].bytes);
    ck_assert_uint_eq(siphash24(&key, data, vectors[_i].bytes), code_of(vectors[_i].code24));
    ck_assert_uint_eq(siphash13(&key, data, vectors[_i].bytes), code_of(vectors[_i].code13));
    free(data);
}
END_TEST

START_TEST(codes_are_those_of_cpython)
{
    const struct siphash_key key = {0, 0};
    unsigned char *data = counting(zero_key[_i].bytes);
    ck_assert_uint_eq(siphash13(&key, data, zero_key[_i].bytes), zero_key[_i].code13);
    free(data);
}
END_TEST

START_TEST(data_may_lie_anywhere)
{
    const struct siphash_key key = {1, 2};
    char buffer[64];
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(buffer + shift, "metrics/visutility/object-detector/v1.2.3", 41);
        ck_assert_uint_eq(siphash13(&key, buffer + shift, 41),
                          siphash13(&key, "metrics/visutility/object-detector/v1.2.3", 41));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("siphash");
    TCase *tcase = tcase_create("siphash");
    tcase_add_loop_test(tcase, codes_are_those_of_openssl, 0, sizeof vectors / sizeof vectors[0]);
    tcase_add_loop_test(tcase, codes_are_those_of_cpython, 0, sizeof zero_key / sizeof zero_key[0]);
    tcase_add_test(tcase, data_may_lie_anywhere);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
