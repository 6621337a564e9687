/* The decoder's memory: pieces stay in their place, what a large message took is given back, no message takes more than
 * the header promises, and no allocation that fails does harm.
 *
 * This program stands between the decoder and the C library's allocator. Sanitizers bring their own, so under them only
 * the first tests run.
 */
#include "lib/wire/metric_memory.h"
#include "tests/run_suite.h"

#include <check.h>
#include <errno.h>
#include <malloc.h>

#include "tests/unit/wire_message.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 0
#else
#define OWN_ALLOCATOR 1
#endif

START_TEST(pieces_stay_in_their_place)
{
    struct memory_arena arena = {0};
    static uint64_t *pieces[3000];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3000; i++) {
            size_t words = 1 + i % 700 + (i % 500 == 0 ? 20000 : 0); /* now and then more than a chunk */
            pieces[i] = memory_arena_room(&arena, words * 8);
            ck_assert_ptr_eq(memory_arena_room(&arena, words * 8), pieces[i]);
            memory_arena_take(&arena, words * 8);
            for (size_t j = 0; j < words; j++)
                pieces[i][j] = i;
        }
        for (size_t i = 0; i < 3000; i++)
            for (size_t j = 0; j < 1 + i % 700; j++)
                if (pieces[i][j] != i)
                    ck_abort_msg("piece %zu", i);
        memory_arena_reset(&arena);
    }
    memory_arena_free(&arena);
    ck_assert_ptr_null(arena.first);
}
END_TEST

START_TEST(an_array_grows_by_half_at_least)
{
    size_t room = 0, moves = 0;
    char *at = NULL;
    for (size_t need = 1; need < 100000; need++) {
        if (need > room) {
            at = memory_grow(at, &room, need, 1);
            ck_assert_uint_ge(room, need);
            moves++;
        }
        at[need - 1] = 1;
    }
    ck_assert_uint_lt(moves, 40);
    ck_assert_ptr_eq(memory_trim(at, &room, 1), at);
    ck_assert_ptr_null(memory_trim(at, &room, MEMORY_KEPT));
    ck_assert_uint_eq(room, 0);
    ck_assert_ptr_null(memory_grow(NULL, &room, SIZE_MAX / 4, 8));
}
END_TEST

#if OWN_ALLOCATOR

/* The C library's own names for them. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);
void __libc_free(void *at);

static bool watching;
static long allowed = -1; /* allocations until one fails; -1: none does */
static size_t used, peak; /* bytes, while watching */

static bool refused(void)
{
    return watching && allowed >= 0 && allowed-- == 0;
}

static void *counted(void *at)
{
    if (watching && at != NULL) {
        used += malloc_usable_size(at);
        peak = used > peak ? used : peak;
    }
    return at;
}

static void discount(void *at)
{
    if (watching && at != NULL)
        used -= malloc_usable_size(at);
}

void *malloc(size_t bytes)
{
    return refused() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    return refused() ? NULL : counted(__libc_calloc(count, bytes));
}

void *realloc(void *at, size_t bytes)
{
    if (refused())
        return NULL;
    discount(at);
    return counted(__libc_realloc(at, bytes));
}

void free(void *at)
{
    discount(at);
    __libc_free(at);
}

/* A text of `count` times `item`, which holds "%u". */
static struct text repeated(const char *head, const char *item, unsigned count, const char *tail)
{
    char *at = NULL;
    size_t len;
    FILE *out = open_memstream(&at, &len);
    fputs(head, out);
    for (unsigned i = 0; i < count; i++) {
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
            fprintf(out, item, i == 0 ? "" : ",", i);
        _Pragma("GCC diagnostic pop")
    }
    fputs(tail, out);
    fclose(out);
    return (struct text){at, len};
}

/* Of everything that makes a decoder ask for memory, enough for it to ask more than once. */
static struct text hungry(int which)
{
    switch (which) {
    case 0:
        return repeated("[", "%s{\"x\":%u,\"y\\u0020\":\"\"}", 3000, "]");
    case 1:
        return repeated("{\"x\":[", "%s%u", 5000, "],\"y\":1}");
    case 2:
        return repeated("{", "%s\"k%u\":\"\"", 3000, "}");
    case 3:
        return repeated("[", "%s{\"h\":{\"histogram\":{\"edges\":[0,1,2,3,4,5,6],\"counts\":[%u,1,2,3,4,5]}}}", 2000, "]");
    case 4:
        return repeated("[", "%s{\"c\":{\"categories\":{\"a\":%u,\"b\":2,\"c\":3,\"d\":4,\"e\":5}}}", 2000, "]");
    default:
        return repeated("{\"topics\":{", "%s\"p/n/v%u\":1", 2000, "}}");
    }
}

/* The decoder alone is watched: the test library asks for memory of its own. */
static int watched_new(struct metric_decoder **decoder_p)
{
    struct metric_options options = {.max_future_s = 1};
    watching = true;
    int rc = metric_decoder_new(decoder_p, &options);
    watching = false;
    ck_assert((*decoder_p != NULL) == (rc == 0));
    return rc;
}

static int decode(struct metric_decoder *decoder, struct text payload, bool beacon)
{
    struct model_id model;
    const struct metric_message *message;
    const struct beacon_message *other;
    model_id_parse(&model, text_of("p/n/v"));
    watching = true;
    int rc = beacon ? beacon_decode(decoder, payload, &other) : metric_decode(decoder, &model, payload, 0, &message);
    watching = false;
    ck_assert(beacon ? (other != NULL) == (rc == 0) : (message != NULL) == (rc == 0));
    return rc;
}

static void watched_destroy(struct metric_decoder **decoder_p)
{
    watching = true;
    metric_decoder_destroy(decoder_p);
    watching = false;
}

/* Memory that would only make the next message quicker may lack in silence. */
START_TEST(no_failed_allocation_does_harm)
{
    struct text payload = hungry(_i);
    bool beacon = _i == 5, failed = true;
    int failures = 0;
    for (long allow = 0; failed; allow++) {
        struct metric_decoder *decoder = NULL;
        allowed = allow;
        int rc = watched_new(&decoder);
        if (rc == 0)
            rc = decode(decoder, payload, beacon);
        failed = allowed < 0;
        allowed = -1;
        ck_assert(rc == 0 || (failed && rc == -ENOMEM));
        if (decoder != NULL) {
            ck_assert_int_eq(decode(decoder, payload, beacon), 0);
            char *line = decoded_line(decoder, "p/n/v", text_of("{\"a\\u0062\":0.5}"));
            ck_assert_str_eq(line, "[ab=0.5]");
            free(line);
        }
        metric_decoder_destroy(&decoder);
        failures += rc == -ENOMEM;
    }
    ck_assert_int_gt(failures, 4);
    free((char *)(uintptr_t)payload.at);
}
END_TEST

/* A megabyte of what costs most for each byte. */
static struct text costly(int which)
{
    const unsigned count = 1000000;
    unsigned char *at = malloc(count + 16);
    memset(at, which == 0 ? 0x80 : 0x01, count + 16);
    if (which == 0) {
        memcpy(at, "\xDD\x00\x0F\x42\x40", 5); /* an array of empty maps */
        return (struct text){(char *)at, count + 5};
    }
    if (which == 1) {
        memcpy(at, "\x81\xA1x\xDD\x00\x0F\x42\x40", 8); /* a column */
        return (struct text){(char *)at, count + 8};
    }
    free(at);
    if (which == 2)
        return repeated("{", "%s\"%x\":1", 150000, "}"); /* names to keep */
    if (which == 3)
        return repeated("{\"a\":1,\"b\":1,\"c\":1,\"x\":[", "%s%u", 120000, "]}");
    return repeated("[", "%s{\"\\u0061\":{\"categories\":{\"\\u0061%u\":1}}}", 25000, "]");
}

START_TEST(a_message_takes_no_more_than_its_size_allows)
{
    struct metric_decoder *decoder;
    struct text payload = costly(_i);
    ck_assert_int_eq(watched_new(&decoder), 0);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(decode(decoder, payload, false), 0);
        ck_assert_msg(peak < 240 * payload.len, "%zu bytes for %zu", peak, payload.len);
        ck_assert_int_eq(decode(decoder, text_of("{\"x\":1}"), false), 0);
        ck_assert_msg(used < 10 * 1024 * 1024, "%zu bytes at rest", used);
    }
    watched_destroy(&decoder);
    ck_assert_uint_eq(used, 0);
    free((char *)(uintptr_t)payload.at);
}
END_TEST

#define SMALL "{\"accuracy\":0.93,\"latency_ms\":12.5,\"precision\":0.9,\"note\":\"a\\n\"}"

START_TEST(small_messages_take_no_memory_after_the_first)
{
    struct metric_decoder *decoder;
    ck_assert_int_eq(watched_new(&decoder), 0);
    ck_assert_int_eq(decode(decoder, text_of("[" SMALL "," SMALL "]"), false), 0);
    allowed = 0;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(decode(decoder, text_of(SMALL), false), 0);
    ck_assert_int_eq(allowed, 0);
    allowed = -1;
    watched_destroy(&decoder);
}
END_TEST

#endif

int main(void)
{
    Suite *suite = suite_create("metric_memory");
    TCase *tcase = tcase_create("metric_memory");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, pieces_stay_in_their_place);
    tcase_add_test(tcase, an_array_grows_by_half_at_least);
#if OWN_ALLOCATOR
    tcase_add_loop_test(tcase, no_failed_allocation_does_harm, 0, 6);
    tcase_add_loop_test(tcase, a_message_takes_no_more_than_its_size_allows, 0, 5);
    tcase_add_test(tcase, small_messages_take_no_memory_after_the_first);
#endif
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
