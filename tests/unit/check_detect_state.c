/* What every detector promises of its state: saved, loaded, damaged, reset, and fed with what is no number. */
#include "tests/run_suite.h"
#include "tests/unit/detect_case.h"

static bool of_errors(const char *name)
{
    return strstr(name, "ddm") || strcmp(name, "evidence") == 0;
}

static bool same(struct detect_verdict a, struct detect_verdict b)
{
    double of_a[] = {a.statistic, a.threshold, a.size, a.lower, a.upper};
    double of_b[] = {b.statistic, b.threshold, b.size, b.lower, b.upper};
    for (int i = 0; i < 5; i++)
        if (memcmp(&of_a[i], &of_b[i], sizeof(double)) != 0 && !(isnan(of_a[i]) && isnan(of_b[i])))
            return false;
    return a.state == b.state && a.n == b.n && a.changed_at == b.changed_at;
}

/* A file that a daemon wrote goes on bit for bit, at any moment of the stream. */
START_TEST(a_saved_state_goes_on_bit_for_bit)
{
    static const int moments[] = {0, 1, 37, 99, 100, 101, 224, 499, 500, 640, 1511, 1700};
    const char *name = detect_name((uint32_t)_i);
    const struct stream *stream = stream_find(of_errors(name) ? "errors" : "step");
    for (size_t moment = 0; moment < sizeof(moments) / sizeof(moments[0]); moment++) {
        struct source source = stream_source(stream);
        struct detect *whole = make(name), *loaded = make(name);
        for (int i = 0; i < moments[moment]; i++)
            detect_add(whole, stream->draw(&source, i));
        /* What the other has seen must not matter. */
        for (int i = 0; i < 700; i++)
            detect_add(loaded, i % 7 * 0.125);
        size_t size = detect_save(whole, NULL, 0);
        uint8_t *buffer = malloc(size);
        ck_assert_uint_eq(detect_save(whole, buffer, size), size);
        ck_assert_int_eq(detect_load(loaded, buffer, size), 0);
        for (int i = moments[moment]; i < STREAM_LENGTH; i++) {
            double value = stream->draw(&source, i);
            ck_assert_msg(same(detect_add(whole, value), detect_add(loaded, value)), "%s saved at %d differs at %d",
                          name, moments[moment], i);
        }
        ck_assert_uint_eq(detect_clipped(whole), detect_clipped(loaded));
        free(buffer);
        detect_destroy(&whole);
        detect_destroy(&loaded);
    }
}
END_TEST

START_TEST(distributions_are_saved_as_well)
{
    double edges[] = {0, 1, 2, 3, 4};
    uint64_t counts[4];
    for (int moment = 10; moment <= 50; moment += 20) {
        struct detect_params params;
        struct detect *whole = NULL, *loaded = NULL;
        struct source source = {.state = 3};
        ck_assert_int_eq(detect_params_init(&params, "ks", NULL), 0);
        ck_assert_int_eq(detect_params_set(&params, "reference", 40, NULL), 0);
        ck_assert_int_eq(detect_params_set(&params, "window", 15, NULL), 0);
        ck_assert_int_eq(detect_new(&whole, "ks", &params), 0);
        ck_assert_int_eq(detect_new(&loaded, "ks", &params), 0);
        for (int i = 0; i < 200; i++) {
            struct detect_verdict a, b;
            for (int k = 0; k < 4; k++)
                counts[k] = (uint64_t)(20 * source_uniform(&source)) + (i > 150 && k == 3 ? 40 : 0);
            ck_assert_int_eq(detect_add_histogram(whole, edges, counts, 4, &a), 0);
            if (i == moment) {
                uint8_t buffer[65536];
                size_t size = detect_save(whole, buffer, sizeof(buffer));
                ck_assert_uint_le(size, sizeof(buffer));
                ck_assert_int_eq(detect_load(loaded, buffer, size), 0);
            }
            if (i > moment) {
                ck_assert_int_eq(detect_add_histogram(loaded, edges, counts, 4, &b), 0);
                ck_assert(same(a, b));
            }
        }
        detect_destroy(&whole);
        detect_destroy(&loaded);
    }
}
END_TEST

START_TEST(a_damaged_state_is_refused)
{
    const char *name = detect_name((uint32_t)_i);
    const struct stream *stream = stream_find(of_errors(name) ? "errors" : "step");
    struct source source = stream_source(stream);
    struct detect *detector = make(name), *other = make(name), *fresh = make(name);
    for (int i = 0; i < 620; i++)
        detect_add(detector, stream->draw(&source, i));
    uint8_t good[65536], bad[65536];
    size_t size = detect_save(detector, good, sizeof(good));
    ck_assert_uint_le(size, sizeof(good));
    for (size_t cut = 0; cut < size; cut += cut < 80 ? 1 : 61)
        ck_assert_int_ne(detect_load(other, good, cut), 0);
    memcpy(bad, good, size);
    ck_assert_int_eq(detect_load(other, bad, size + 1), -EPROTO);
    bad[0] ^= 1;
    ck_assert_int_eq(detect_load(other, bad, size), -EPROTO);
    bad[0] ^= 1;
    bad[4] = 2; /* another version */
    ck_assert_int_eq(detect_load(other, bad, size), -EPROTO);
    memcpy(bad, good, size);
    bad[9] ^= 1; /* the name */
    ck_assert_int_eq(detect_load(other, bad, size), -EINVAL);
    /* Any other byte: it loads or it does not, and goes on without touching what is not its own. */
    for (size_t at = 0; at < size; at++) {
        memcpy(bad, good, size);
        bad[at] ^= (uint8_t)(1 + at % 255);
        detect_load(other, bad, size);
        for (int i = 0; i < 210; i++)
            detect_add(other, (i * 37) % 11 * 0.1);
    }
    /* Having failed, it has forgotten everything. */
    ck_assert_int_ne(detect_load(other, good, size - 1), 0);
    for (int i = 0; i < 700; i++)
        ck_assert(same(detect_add(other, i % 5 * 0.1), detect_add(fresh, i % 5 * 0.1)));
    detect_destroy(&detector);
    detect_destroy(&other);
    detect_destroy(&fresh);
}
END_TEST

START_TEST(a_state_belongs_to_its_parameters)
{
    struct detect_params params;
    struct detect *five = NULL, *six = NULL, *adwin = make("adwin");
    uint8_t buffer[8192];
    ck_assert_int_eq(detect_params_init(&params, "cusum", NULL), 0);
    ck_assert_int_eq(detect_new(&five, "cusum", &params), 0);
    ck_assert_int_eq(detect_params_set(&params, "h", 6, NULL), 0);
    ck_assert_int_eq(detect_new(&six, "cusum", &params), 0);
    size_t size = detect_save(five, buffer, sizeof(buffer));
    ck_assert_int_eq(detect_load(six, buffer, size), -EINVAL);
    ck_assert_int_eq(detect_load(adwin, buffer, size), -EINVAL);
    ck_assert_int_eq(detect_load(five, buffer, size), 0);
    detect_destroy(&five);
    detect_destroy(&six);
    detect_destroy(&adwin);
}
END_TEST

START_TEST(resetting_forgets_everything)
{
    const char *name = detect_name((uint32_t)_i);
    const struct stream *stream = stream_find(of_errors(name) ? "errors" : "step");
    struct detect *used = make(name), *fresh = make(name);
    struct source source = stream_source(stream);
    for (int i = 0; i < 1623; i++)
        detect_add(used, stream->draw(&source, i));
    detect_reset(used);
    source = stream_source(stream);
    for (int i = 0; i < STREAM_LENGTH; i++) {
        double value = stream->draw(&source, i);
        ck_assert(same(detect_add(used, value), detect_add(fresh, value)));
    }
    ck_assert_str_eq(detect_name_of(used), name);
    ck_assert_uint_gt(detect_bytes(used), 50);
    ck_assert_uint_lt(detect_bytes(used), 12288);
    detect_destroy(&used);
    detect_destroy(&fresh);
    detect_destroy(&fresh);
    ck_assert_ptr_null(fresh);
}
END_TEST

START_TEST(a_value_that_is_no_number_does_not_count)
{
    const char *name = detect_name((uint32_t)_i);
    const struct stream *stream = stream_find(of_errors(name) ? "errors" : "step");
    struct detect *plain = make(name), *disturbed = make(name);
    struct source source = stream_source(stream);
    for (int i = 0; i < STREAM_LENGTH; i++) {
        double value = stream->draw(&source, i);
        ck_assert(same(detect_add(plain, value), detect_add(disturbed, value)));
        struct detect_verdict verdict = detect_add(disturbed, i % 3 ? NAN : i % 2 ? INFINITY : -INFINITY);
        ck_assert_int_ne(verdict.state, DETECT_DRIFT);
        ck_assert_uint_eq(verdict.n, (uint64_t)i + 1);
    }
    detect_destroy(&plain);
    detect_destroy(&disturbed);
}
END_TEST

START_TEST(values_outside_of_a_range_are_clipped_and_counted)
{
    struct detect *evidence = make("evidence"), *ddm = make("ddm"), *cusum = make("cusum");
    double values[] = {-1, 0, 0.5, 1, 1.5, 1e308};
    for (int i = 0; i < 6; i++) {
        detect_add(evidence, values[i]);
        detect_add(ddm, values[i]);
        detect_add(cusum, values[i]);
    }
    ck_assert_uint_eq(detect_clipped(evidence), 3);
    ck_assert_uint_eq(detect_clipped(ddm), 3);
    ck_assert_uint_eq(detect_clipped(cusum), 0);
    detect_destroy(&evidence);
    detect_destroy(&ddm);
    detect_destroy(&cusum);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("detect_state");
    TCase *params = tcase_create("params");
    tcase_set_timeout(params, 60);
    suite_add_tcase(suite, params);
    TCase *instances = tcase_create("instances");
    tcase_set_timeout(instances, 120);
    tcase_add_loop_test(instances, a_saved_state_goes_on_bit_for_bit, 0, DETECTORS);
    tcase_add_test(instances, distributions_are_saved_as_well);
    tcase_add_loop_test(instances, a_damaged_state_is_refused, 0, DETECTORS);
    tcase_add_test(instances, a_state_belongs_to_its_parameters);
    tcase_add_loop_test(instances, resetting_forgets_everything, 0, DETECTORS);
    tcase_add_loop_test(instances, a_value_that_is_no_number_does_not_count, 0, DETECTORS);
    tcase_add_test(instances, values_outside_of_a_range_are_clipped_and_counted);
    suite_add_tcase(suite, instances);
    return run_suite(suite);
}
