#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/workers/models.h"
#include "tests/run_suite.h"

static const struct monitor_settings settings = {
    .window = 4, .min_events = 1, .consecutive_failures = 3, .recover_after = 4};

static struct model *add(struct models *models, uint64_t hash, const char *name)
{
    struct model_id id;
    struct monitor *monitor;
    struct model *model = NULL;
    ck_assert_int_eq(model_id_parse(&id, text_of(name)), 0);
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    ck_assert_int_eq(models_add(models, hash, &id, monitor, 5, &model), 0);
    return model;
}

START_TEST(found_by_id)
{
    struct models *models;
    ck_assert_int_eq(models_new(&models), 0);
    struct model *model = add(models, 42, "p/n/v1");
    ck_assert_ptr_eq(models_find(models, 42, text_of("p/n/v1")), model);
    ck_assert_ptr_null(models_find(models, 42, text_of("p/n/v2")));
    ck_assert_ptr_null(models_find(models, 43, text_of("p/n/v1")));
    ck_assert_str_eq(model->text, "p/n/v1");
    ck_assert(text_is(model_id_of(model).version, "v1"));
    ck_assert_int_eq(model->heard_ns, 5);
    models_destroy(&models);
    ck_assert_ptr_null(models);
    models_destroy(&models);
}
END_TEST

/* Of every length that there may be. */
START_TEST(an_id_has_its_segments)
{
    char segment[MODEL_ID_SEGMENT_MAX + 1], text[MODEL_ID_MAX + 1];
    struct models *models;
    memset(segment, 'x', MODEL_ID_SEGMENT_MAX);
    ck_assert_int_eq(models_new(&models), 0);
    for (int of = 1; of <= MODEL_ID_SEGMENT_MAX; of += of < 20 || of > 120 ? 1 : 40) {
        for (int longest = 0; longest < 3; longest++) {
            const int project = longest == 0 ? of : 1, name = longest == 1 ? of : 2, version = longest == 2 ? of : 3;
            snprintf(text, sizeof text, "%.*s/%.*s/%.*s", project, segment, name, segment, version, segment);
            if (models_find(models, 7, text_of(text)))
                continue;
            const struct model_id id = model_id_of(add(models, 7, text));
            struct model_id parsed;
            ck_assert_int_eq(model_id_parse(&parsed, text_of(text)), 0);
            ck_assert(text_equal(id.whole, parsed.whole) && text_equal(id.project, parsed.project));
            ck_assert(text_equal(id.name, parsed.name) && text_equal(id.version, parsed.version));
        }
    }
    models_destroy(&models);
}
END_TEST

START_TEST(short_windows_are_recorded)
{
    struct monitor_settings longer = settings;
    struct models *models;
    ck_assert_int_eq(models_new(&models), 0);
    struct model *model = add(models, 1, "p/n/v1");
    ck_assert(model->records);
    longer.window = RECORDER_VALUES;
    ck_assert_int_ge(monitor_change(&model->monitor, &longer), 0);
    model_renewed(model);
    ck_assert(!model->records);
    models_destroy(&models);
}
END_TEST

/* Taken out one after the other, in no order, among hashes that collide: the others are found, and no place is empty. */
START_TEST(taken_out)
{
    struct models *models;
    char name[32];
    uint32_t state = 1;
    ck_assert_int_eq(models_new(&models), 0);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "p/n/%u", i);
        add(models, (uint64_t)i % 7 << 32 | i % 400, name);
    }
    for (unsigned left = 2000; left > 0; left--) {
        state = state * 1664525u + 1013904223u;
        const uint32_t place = (state >> 8) % left;
        snprintf(name, sizeof name, "%s", models_at(models, place)->text);
        const uint64_t hash = models_at(models, place)->hash;
        models_remove(models, place);
        ck_assert_uint_eq(models_count(models), left - 1);
        ck_assert_ptr_null(models_find(models, hash, text_of(name)));
        for (uint32_t i = 0; i + 1 < left; i += 1 + left / 40) {
            struct model *model = models_at(models, i);
            ck_assert_ptr_eq(models_find(models, model->hash, model_id_of(model).whole), model);
        }
    }
    add(models, 3, "p/n/again");
    ck_assert_ptr_nonnull(models_find(models, 3, text_of("p/n/again")));
    models_destroy(&models);
}
END_TEST

/* Who was put off is passed over until then, wherever it stands by now. */
START_TEST(put_off)
{
    struct models *models;
    char name[32];
    ck_assert_int_eq(models_new(&models), 0);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "p/n/%u", i);
        add(models, (uint64_t)i << 32, name);
        ck_assert_uint_eq(models_due(models, i, i + 1, 0), i);
        models_put_off(models, i, i);
    }
    ck_assert_uint_eq(models_due(models, 0, 2000, 0), 0);
    ck_assert_uint_eq(models_due(models, 1, 2000, 0), 2000);
    ck_assert_uint_eq(models_due(models, 7, 2000, 7), 7);
    ck_assert_uint_eq(models_due(models, 8, 2000, 7), 2000);
    ck_assert_uint_eq(models_due(models, 8, 30, 1000), 8);
    models_remove(models, 5); /* the last one stands there now */
    ck_assert_uint_eq(models_due(models, 5, 1999, 5), 1999);
    ck_assert_uint_eq(models_due(models, 5, 1999, 1999), 5);
    add(models, 3, "p/n/again");
    ck_assert_uint_eq(models_due(models, 1990, 2000, 0), 1999);
    models_all_due(models);
    ck_assert_uint_eq(models_due(models, 1234, 2000, 0), 1234);
    models_destroy(&models);
}
END_TEST

/* Every hash the same, or the same in the half that says where to look: slower, never wrong. */
START_TEST(hashes_that_collide)
{
    struct models *models;
    char name[32];
    ck_assert_int_eq(models_new(&models), 0);
    struct model *same[50], *half[50];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "same/n/%u", i);
        same[i] = add(models, 7, name);
        snprintf(name, sizeof name, "half/n/%u", i);
        half[i] = add(models, 7 + ((uint64_t)i << 32), name);
    }
    for (unsigned i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "same/n/%u", i);
        ck_assert_ptr_eq(models_find(models, 7, text_of(name)), same[i]);
        snprintf(name, sizeof name, "half/n/%u", i);
        ck_assert_ptr_eq(models_find(models, 7 + ((uint64_t)i << 32), text_of(name)), half[i]);
    }
    models_destroy(&models);
}
END_TEST

START_TEST(it_grows)
{
    enum { COUNT = 20000 };
    struct models *models;
    static struct model *all[COUNT];
    char name[32];
    ck_assert_int_eq(models_new(&models), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "p/n/%u", i);
        all[i] = add(models, i * UINT64_C(0x9e3779b97f4a7c15), name);
    }
    ck_assert_uint_eq(models_count(models), COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "p/n/%u", i);
        ck_assert_ptr_eq(models_find(models, i * UINT64_C(0x9e3779b97f4a7c15), text_of(name)), all[i]);
        ck_assert_ptr_eq(models_at(models, i), all[i]);
    }
    models_destroy(&models);
}
END_TEST

/* While it grows and afterwards, all are found, and some are taken out. */
START_TEST(nothing_is_lost_while_it_grows)
{
    struct models *models;
    char name[32];
    unsigned made = 0, gone = 0;
    ck_assert_int_eq(models_new(&models), 0);
    for (; made < 13000; made++) {
        snprintf(name, sizeof name, "p/n/%u", made);
        add(models, made * UINT64_C(0x9e3779b97f4a7c15), name);
        for (uint32_t i = 0; i < 8; i++) {
            struct model *model = models_at(models, (made * 131u + i * 977u) % models_count(models));
            ck_assert_ptr_eq(models_find(models, model->hash, model_id_of(model).whole), model);
        }
        if (made % 1000 == 800) { /* in the middle of a growth at times */
            snprintf(name, sizeof name, "%s", models_at(models, made / 2)->text);
            const uint64_t hash = models_at(models, made / 2)->hash;
            models_remove(models, made / 2);
            ck_assert_ptr_null(models_find(models, hash, text_of(name)));
            gone++;
        }
    }
    ck_assert_uint_eq(models_count(models), made - gone);
    for (uint32_t i = 0; i < models_count(models); i++) {
        struct model *model = models_at(models, i);
        ck_assert_ptr_eq(models_find(models, model->hash, model_id_of(model).whole), model);
    }
    models_destroy(&models);
}
END_TEST

/* A guess is another model's, nobody's, or right; it never says what is not so, nor names a model that is gone. */
START_TEST(guesses_are_looked_at)
{
    struct models *models;
    char name[MODEL_ID_MAX + 1];
    ck_assert_int_eq(models_new(&models), 0);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, i % 3 ? "project/a name of some length %u/v1" : "p/n/%u", i);
        const uint32_t guess = models_guess(models, text_of(name));
        ck_assert_ptr_null(models_known(models_guessed(models, guess), text_of(name)));
        struct model *model = add(models, i * UINT64_C(0x9e3779b97f4a7c15), name);
        models_learn(models, guess, model); /* the table may have grown in between */
        ck_assert_ptr_eq(models_known(models_guessed(models, models_guess(models, text_of(name))), text_of(name)), model);
    }
    uint32_t right = 0;
    for (uint32_t i = 0; i < models_count(models); i++) {
        struct model *model = models_at(models, i);
        struct model *known = models_known(models_guessed(models, models_guess(models, model_id_of(model).whole)), model_id_of(model).whole);
        ck_assert(known == model || known == NULL);
        right += known == model;
    }
    ck_assert_uint_gt(right, models_count(models) / 4); /* since the last growth, but for those that met */
    while (models_count(models)) {
        struct model *model = models_at(models, 0);
        const uint32_t guess = models_guess(models, model_id_of(model).whole);
        snprintf(name, sizeof name, "%s", model->text);
        models_learn(models, guess, model);
        models_remove(models, 0);
        ck_assert_ptr_null(models_known(models_guessed(models, guess), text_of(name)));
    }
    ck_assert_ptr_null(models_guessed(models, models_guess(models, (struct text){"", 0})));
    models_destroy(&models);
}
END_TEST

static struct model *known(struct models *models, const struct model *model)
{
    const struct text id = text_of(model->text);
    struct model *guessed = models_known(models_guessed(models, models_guess(models, id)), id);
    ck_assert(guessed == model || guessed == NULL);
    if (!guessed)
        models_learn(models, models_guess(models, id), models_find(models, model->hash, id));
    return guessed;
}

/* Of models that are heard in turn hardly one pushes another out, as full as the table gets before it grows. */
START_TEST(most_guesses_are_right)
{
    enum { COUNT = 12287 };
    struct models *models;
    char name[32];
    uint32_t right = 0;
    ck_assert_int_eq(models_new(&models), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "project/model-%07u/v1", i);
        add(models, i * UINT64_C(0x9e3779b97f4a7c15), name);
    }
    for (uint32_t lap = 0; lap < 4; lap++)
        for (uint32_t i = 0; i < COUNT; i++)
            right += known(models, models_at(models, i)) != NULL && lap > 0;
    ck_assert_uint_gt(right, 3 * COUNT / 10 * 8);
    models_destroy(&models);
}
END_TEST

/* One more than a line holds: those that were there do not all go, lap after lap, one for the other. */
START_TEST(a_line_that_is_too_full_keeps_most)
{
    struct models *models;
    char name[32];
    uint32_t count = 0, right = 0;
    ck_assert_int_eq(models_new(&models), 0);
    for (unsigned i = 0; count < 8; i++) {
        snprintf(name, sizeof name, "p/n/%u", i);
        if (models_guess(models, text_of(name)) % 128 == 77)
            add(models, count++, name);
    }
    for (uint32_t lap = 0; lap < 100; lap++)
        for (uint32_t i = 0; i < count; i++)
            right += known(models, models_at(models, i)) != NULL;
    ck_assert_uint_gt(right, 100 * 4);
    ck_assert_uint_lt(right, 100 * 8);
    models_destroy(&models);
}
END_TEST

/* --- the recorder --- */

static void take(struct monitor *monitor, struct recorder *recorder, const struct metric *metrics, uint32_t count)
{
    struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = count};
    struct verdict verdict;
    ck_assert_int_eq(monitor_add(monitor, &event, 1, 1.0, &verdict), 0);
    recorder_add(recorder, monitor, &event);
}

static struct metric number(const char *name, double value)
{
    return (struct metric){.name = text_of(name), .kind = METRIC_NUMBER, .number = value};
}

START_TEST(the_newest_values_of_each_metric)
{
    struct monitor *monitor;
    struct recorder recorder = {0};
    float values[RECORDER_VALUES];
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    ck_assert_uint_eq(recorder_recent(&recorder, 0, values, RECORDER_VALUES), 0);
    for (int i = 0; i < 1000; i++) {
        struct metric both[] = {number("accuracy", i), number("latency_ms", -i)};
        struct metric turned[] = {both[1], both[0]};
        take(monitor, &recorder, i % 3 ? both : turned, i % 5 ? 2 : 1);
        if (i == 9) {
            /* 0 and 5 carried one metric: i % 3 says which. */
            ck_assert_uint_eq(recorder_recent(&recorder, 0, values, RECORDER_VALUES) +
                                  recorder_recent(&recorder, 1, values, RECORDER_VALUES),
                              18);
        }
    }
    int accuracy = -1;
    for (uint32_t i = 0; i < monitor_metric_count(monitor); i++) {
        if (strcmp(monitor_metric_name(monitor, i), "accuracy") == 0)
            accuracy = (int)i;
    }
    ck_assert_int_ge(accuracy, 0);
    ck_assert_uint_eq(recorder_recent(&recorder, (uint32_t)accuracy, values, 4), 4);
    ck_assert(values[3] == 999.0f && values[2] == 998.0f && values[1] == 997.0f && values[0] == 996.0f);
    ck_assert_uint_eq(recorder_recent(&recorder, (uint32_t)accuracy, values, RECORDER_VALUES), RECORDER_VALUES);
    for (int i = 1; i < RECORDER_VALUES; i++)
        ck_assert(values[i] > values[i - 1]);
    recorder_clear(&recorder);
    monitor_destroy(&monitor);
}
END_TEST

/* At every length of the past, whatever the place in the ring. */
START_TEST(as_many_as_there_were)
{
    struct monitor *monitor;
    struct recorder recorder = {0};
    float values[RECORDER_VALUES];
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    for (uint32_t i = 0; i < 5 * RECORDER_VALUES; i++) {
        struct metric metric = number("accuracy", i);
        take(monitor, &recorder, &metric, 1);
        uint32_t count = i + 1 < RECORDER_VALUES ? i + 1 : RECORDER_VALUES;
        ck_assert_uint_eq(recorder_recent(&recorder, 0, values, RECORDER_VALUES), count);
        for (uint32_t j = 0; j < count; j++)
            ck_assert(values[j] == (float)(i + 1 - count + j));
    }
    recorder_clear(&recorder);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(only_the_first_metrics_and_only_numbers)
{
    struct monitor *monitor;
    struct recorder recorder = {0};
    float values[4];
    struct metric many[RECORDER_METRICS_MAX + 8];
    char names[RECORDER_METRICS_MAX + 8][16];
    for (int i = 0; i < RECORDER_METRICS_MAX + 8; i++) {
        snprintf(names[i], sizeof names[i], "m%d", i);
        many[i] = number(names[i], i);
    }
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    take(monitor, &recorder, many, RECORDER_METRICS_MAX + 8);
    ck_assert_uint_eq(recorder.tracks->count, RECORDER_METRICS_MAX);
    ck_assert_uint_eq(recorder_recent(&recorder, RECORDER_METRICS_MAX, values, 4), 0);
    struct metric_category category = {.name = text_of("cat"), .count = 1};
    struct metric other = {.name = text_of("m0"), .kind = METRIC_CATEGORIES, .categories = {&category, 1}};
    take(monitor, &recorder, &other, 1);
    ck_assert_uint_eq(recorder_recent(&recorder, 0, values, 4), 1);
    recorder_clear(&recorder);
    monitor_destroy(&monitor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("models");
    TCase *tcase = tcase_create("models");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, found_by_id);
    tcase_add_test(tcase, an_id_has_its_segments);
    tcase_add_test(tcase, short_windows_are_recorded);
    tcase_add_test(tcase, hashes_that_collide);
    tcase_add_test(tcase, taken_out);
    tcase_add_test(tcase, put_off);
    tcase_add_test(tcase, it_grows);
    tcase_add_test(tcase, nothing_is_lost_while_it_grows);
    tcase_add_test(tcase, guesses_are_looked_at);
    tcase_add_test(tcase, most_guesses_are_right);
    tcase_add_test(tcase, a_line_that_is_too_full_keeps_most);
    tcase_add_test(tcase, the_newest_values_of_each_metric);
    tcase_add_test(tcase, as_many_as_there_were);
    tcase_add_test(tcase, only_the_first_metrics_and_only_numbers);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
