/* Monitors on disk: written by real shards, read back into others, whole or damaged at any byte. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/checkpoint/checkpoint_inside.h"
#include "daemon/checkpoint/format.h"
#include "daemon/workers/workers.h"
#include "tests/run_suite.h"

#define S INT64_C(1000000000)

static const struct kpi_budget kpis[] = {
    {.metric = "accuracy", .min = 0.80, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "latency_ms", .min = NAN, .max = 400, .over = WINDOW_P95},
};
static const struct monitor_settings settings = {.window = 4,
                                                 .min_events = 1,
                                                 .consecutive_failures = 3,
                                                 .recover_after = 4,
                                                 .backoff_ns = 10 * S,
                                                 .kpis = kpis,
                                                 .kpi_count = 2};

static int settings_for(void *argument, const struct model_id *model, const struct monitor_settings **out)
{
    (void)argument, (void)model;
    *out = &settings;
    return 0;
}

static void drop_notice(void *argument, struct retrain_notice *notice)
{
    (void)argument;
    retrain_notice_destroy(&notice);
}

static uint32_t alarms;

static void count_alarm(void *argument, struct cloud_event *event)
{
    (void)argument;
    alarms += strncmp(event->topic, "driftd.alarm", 12) == 0;
    cloud_event_drop(event);
}

static const struct shard_ports shard_ports = {
    .settings = settings_for, .notice = drop_notice, .event = count_alarm, .source = "driftd/test"};

/* --- a daemon's worth of stations --- */

struct part {
    struct workers *workers;
    struct checkpoint *checkpoint;
    struct checkpoint_restored back;
};

static char folder[64];

static int ask_slice(void *argument, struct slice *slice)
{
    struct part *part = argument;
    return workers_slice(part->workers, slice);
}

static void fill_slice(void *argument, struct slice *slice)
{
    struct part *part = argument;
    workers_slice_whole(part->workers, slice);
}

static int restore_model(void *argument, const void *bytes, size_t size, int64_t shift_ns, struct now now)
{
    struct part *part = argument;
    return workers_restore(part->workers, bytes, size, shift_ns, now);
}

static void open_part(struct part *part, uint32_t threads, int64_t keep_ns)
{
    struct workers_options options = {.threads = threads,
                                      .key = {threads + 1, 22},
                                      .max_message_bytes = 2000,
                                      .max_future_s = 1e9,
                                      .max_models = 5000,
                                      .keep_ns = keep_ns};
    struct checkpoint_options kept = {.state_dir = folder, .every_ns = 3600 * S, .shards = threads ? threads : 1};
    struct checkpoint_ports ports = {.argument = part,
                                     .ask = ask_slice,
                                     .fill = fill_slice,
                                     .restore = restore_model,
                                     .event = count_alarm,
                                     .source = "driftd/test"};
    ck_assert_int_eq(workers_new(&part->workers, &options, &shard_ports), 0);
    ck_assert_int_eq(checkpoint_new(&part->checkpoint, &kept, &ports), 0);
    checkpoint_restore(part->checkpoint, &part->back);
}

static void close_part(struct part *part)
{
    checkpoint_destroy(&part->checkpoint);
    workers_destroy(&part->workers);
}

static void send_event(struct part *part, const char *model, double accuracy)
{
    struct frame frame;
    char topic[128], payload[128];
    frame_init(&frame);
    int topic_len = snprintf(topic, sizeof topic, "metrics/%s", model);
    int length = snprintf(payload, sizeof payload, "{\"accuracy\":%g,\"latency_ms\":%g}", accuracy, 100 * accuracy);
    frame_borrow(&frame, topic, (size_t)topic_len, payload, (size_t)length);
    frame.kind = FRAME_METRICS;
    frame.parts = 2;
    workers_take(part->workers, &frame, 1, clock_now());
    frame_close(&frame);
}

static void send_many(struct part *part, uint32_t models)
{
    char model[32];
    for (uint32_t i = 0; i < models; i++) {
        snprintf(model, sizeof model, "p%u/n/v", i);
        for (uint32_t event = 0; event <= i % 9; event++)
            send_event(part, model, 1 - event / 16.0);
    }
}

/* A sum over all that the shards know, whatever the order; and how much it is. */
static uint64_t sum_of(struct part *part, uint32_t *models_p)
{
    static const struct siphash_key key = {1, 2};
    struct slice slice = {.bytes = malloc(1000), .room = 1000};
    uint64_t sum = 0;
    *models_p = 0;
    for (slice.shard = 0; slice.shard < workers_shards(part->workers); slice.shard++) {
        slice.begin = true;
        do {
            fill_slice(part, &slice);
            slice.begin = false;
            for (size_t at = 0; at < slice.used;) {
                uint32_t length;
                memcpy(&length, slice.bytes + at, 4);
                sum += siphash13(&key, slice.bytes + at + SLICE_HEAD, length);
                at += SLICE_HEAD + length;
                ++*models_p;
            }
        } while (!slice.last);
    }
    free(slice.bytes);
    return sum;
}

static uint32_t files(char last[FILENAME_MAX])
{
    char path[128];
    uint32_t count = 0;
    snprintf(path, sizeof path, "%s/monitors", folder);
    DIR *stream = opendir(path);
    for (struct dirent *file; stream && (file = readdir(stream));) {
        if (file->d_name[0] == '.')
            continue;
        snprintf(last, FILENAME_MAX, "%.100s/%.200s", path, file->d_name);
        count++;
    }
    if (stream)
        closedir(stream);
    return count;
}

static uint8_t *read_file(const char *path, size_t *size_p)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *size_p = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size_p + 1);
    ck_assert_uint_eq(fread(bytes, 1, *size_p, file), *size_p);
    fclose(file);
    return bytes;
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/check_checkpoint.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    alarms = 0;
}

static void remove_folder(void)
{
    char command[128], path[FILENAME_MAX];
    while (files(path))
        unlink(path);
    snprintf(command, sizeof command, "%s/monitors", folder);
    rmdir(command);
    rmdir(folder);
}

/* --- tests --- */

START_TEST(goes_round_whole)
{
    static const uint32_t threads[] = {0, 1, 3, 64};
    struct part before, after;
    char path[FILENAME_MAX];
    uint32_t left, right;
    open_part(&before, 0, 0);
    ck_assert_uint_eq(before.back.files, 0);
    send_many(&before, 1000);
    checkpoint_finish(before.checkpoint);
    ck_assert_uint_eq(files(path), 1);
    uint64_t sum = sum_of(&before, &left);
    ck_assert_uint_eq(left, 1000);
    open_part(&after, threads[_i], 0);
    ck_assert_uint_eq(after.back.models, 1000);
    ck_assert_uint_eq(after.back.unreadable + after.back.damaged + after.back.refused, 0);
    ck_assert_uint_eq(workers_models(after.workers), 1000);
    ck_assert_uint_eq(sum_of(&after, &right), sum);
    close_part(&before);
    close_part(&after);
}
END_TEST

START_TEST(what_has_changed_is_added)
{
    struct part before, after;
    struct checkpoint_figures figures;
    char path[FILENAME_MAX];
    uint32_t left, right;
    open_part(&before, 0, 0);
    send_many(&before, 20);
    checkpoint_finish(before.checkpoint);
    checkpoint_finish(before.checkpoint); /* nothing has happened */
    ck_assert_uint_eq(files(path), 1);
    for (int i = 0; i < 3; i++) {
        send_event(&before, "p7/n/v", 0.5);
        checkpoint_finish(before.checkpoint);
        checkpoint_last(before.checkpoint, &figures);
        ck_assert_uint_eq(figures.models, 1);
        ck_assert_uint_eq(files(path), 2 + (uint32_t)i);
    }
    open_part(&after, 3, 0);
    ck_assert_uint_eq(after.back.models, 20);
    ck_assert_uint_eq(after.back.files, 4);
    uint64_t sum = sum_of(&before, &left);
    ck_assert_uint_eq(sum_of(&after, &right), sum);
    ck_assert_uint_eq(left, right);
    checkpoint_finish(after.checkpoint); /* the first after a start is whole */
    ck_assert_uint_eq(files(path), 1);
    close_part(&before);
    close_part(&after);
    open_part(&after, 2, 0);
    ck_assert_uint_eq(sum_of(&after, &right), sum);
    close_part(&after);
}
END_TEST

/* Three models; what is changed costs the one that it hits at most, or the head, which is there twice. */
START_TEST(damage_at_every_byte)
{
    struct part part;
    char path[FILENAME_MAX];
    size_t size;
    open_part(&part, 0, 0);
    send_many(&part, 3);
    checkpoint_finish(part.checkpoint);
    close_part(&part);
    ck_assert_uint_eq(files(path), 1);
    uint8_t *good = read_file(path, &size);
    for (size_t at = 0; at < size; at++) {
        good[at] ^= (uint8_t)(1u << at % 8);
        write_file(path, good, size);
        good[at] ^= (uint8_t)(1u << at % 8);
        open_part(&part, 0, 0);
        ck_assert_msg(part.back.models >= 2, "byte %zu", at);
        ck_assert_msg(part.back.models == 3 || part.back.damaged == 1, "byte %zu", at);
        ck_assert_uint_eq(part.back.refused, 0);
        close_part(&part);
    }
    for (size_t cut = size; cut-- > FORMAT_HEAD;) {
        write_file(path, good, cut);
        open_part(&part, 0, 0);
        ck_assert_uint_eq(part.back.damaged, 1);
        ck_assert_uint_le(part.back.models, 3);
        close_part(&part);
    }
    write_file(path, good, size);
    open_part(&part, 0, 0);
    ck_assert_uint_eq(part.back.models, 3);
    ck_assert_uint_eq(part.back.damaged, 0);
    close_part(&part);
    free(good);
}
END_TEST

START_TEST(bytes_at_random)
{
    struct part part;
    char path[FILENAME_MAX];
    size_t size;
    uint32_t state = 5;
    open_part(&part, 0, 0);
    send_many(&part, 3);
    checkpoint_finish(part.checkpoint);
    close_part(&part);
    ck_assert_uint_eq(files(path), 1);
    uint8_t *bytes = read_file(path, &size);
    for (int round = 0; round < 60; round++) {
        for (size_t i = FORMAT_HEAD; i < size; i++) {
            state = state * 1664525u + 1013904223u;
            bytes[i] = state >> 24 < 80 ? (uint8_t)"DRMRDREN"[i % 8] : (uint8_t)(state >> 16);
        }
        write_file(path, bytes, size);
        open_part(&part, 0, 0);
        ck_assert_uint_eq(part.back.models, 0);
        ck_assert_uint_eq(part.back.damaged, 1);
        close_part(&part);
    }
    free(bytes);
}
END_TEST

static void rewrite_head(const char *path, uint32_t version, const char *boot, double older_s)
{
    size_t size;
    struct format_head head;
    uint8_t *bytes = read_file(path, &size);
    ck_assert_int_eq(format_head_read(bytes, &head), 0);
    head.version = version;
    head.wall_s -= older_s;
    if (boot)
        snprintf(head.boot, sizeof head.boot, "%s", boot);
    format_head_write(bytes, &head);
    write_file(path, bytes, size);
    free(bytes);
}

START_TEST(another_version_is_put_aside)
{
    struct part part;
    char path[FILENAME_MAX];
    open_part(&part, 0, 0);
    send_many(&part, 3);
    checkpoint_finish(part.checkpoint);
    close_part(&part);
    files(path);
    rewrite_head(path, FORMAT_VERSION + 1, NULL, 0);
    open_part(&part, 0, 0);
    ck_assert_uint_eq(part.back.refused, 1);
    ck_assert_uint_eq(part.back.models, 0);
    ck_assert_uint_eq(files(path), 1);
    ck_assert_ptr_nonnull(strstr(path, ".refused"));
    send_many(&part, 3);
    checkpoint_finish(part.checkpoint);
    ck_assert_uint_eq(files(path), 2);
    close_part(&part);
    open_part(&part, 0, 0);
    ck_assert_uint_eq(part.back.refused, 0);
    ck_assert_uint_eq(part.back.models, 3);
    close_part(&part);
}
END_TEST

static double last_event_s(struct part *part, const char *model)
{
    struct inbox *replies;
    struct letter letter;
    char text[128];
    ck_assert_int_eq(inbox_new(&replies), 0);
    struct question *question = calloc(1, sizeof *question);
    snprintf(text, sizeof text, "{\"do\":\"model\",\"model\":\"%s\"}", model);
    question->ask = strdup(text);
    question->reply_to = replies;
    inbox_put(workers_inbox(part->workers, 0), (struct letter){LETTER_QUESTION, question, question_drop});
    while (workers_turn(part->workers, clock_now()))
        ;
    ck_assert(inbox_take(replies, &letter));
    question = letter.body;
    json_t *json = json_loads(question->answer, 0, NULL);
    double seconds = json_number_value(json_object_get(json, "last_event_s"));
    json_decref(json);
    question_drop(question);
    inbox_destroy(&replies);
    return seconds;
}

START_TEST(after_a_reboot_the_wall_clock_counts)
{
    struct part part;
    char path[FILENAME_MAX];
    open_part(&part, 0, 0);
    send_many(&part, 3);
    checkpoint_finish(part.checkpoint);
    close_part(&part);
    files(path);
    rewrite_head(path, FORMAT_VERSION, "another boot", 86400);
    open_part(&part, 0, 2 * 86400 * S);
    ck_assert_uint_eq(part.back.models, 3);
    double ago_s = last_event_s(&part, "p1/n/v");
    ck_assert_double_ge(ago_s, 86399);
    ck_assert_double_le(ago_s, 86400 + 600);
    close_part(&part);

    open_part(&part, 0, 3600 * S); /* which keeps an hour and no more */
    ck_assert_uint_eq(part.back.models, 0);
    ck_assert_uint_eq(part.back.too_old, 3);
    close_part(&part);
}
END_TEST

START_TEST(a_model_that_says_nothing_is_forgotten)
{
    struct part part;
    uint32_t models;
    open_part(&part, 0, 3600 * S);
    send_many(&part, 100);
    struct now later = clock_now();
    later.steady_ns += 3000 * S;
    while (workers_turn(part.workers, later))
        ;
    ck_assert_uint_eq(workers_models(part.workers), 100);
    later.steady_ns += 3000 * S;
    while (workers_turn(part.workers, later))
        ;
    ck_assert_uint_eq(workers_models(part.workers), 0);
    sum_of(&part, &models);
    ck_assert_uint_eq(models, 0);
    close_part(&part);
}
END_TEST

START_TEST(a_disk_that_fails_raises_one_alarm)
{
    struct part part;
    struct checkpoint_figures figures;
    char path[FILENAME_MAX];
    open_part(&part, 0, 0);
    send_many(&part, 3);
    snprintf(path, sizeof path, "%s/monitors", folder);
    ck_assert_int_eq(rmdir(path), 0); /* the folder that is open takes no files any more */
    checkpoint_finish(part.checkpoint);
    checkpoint_finish(part.checkpoint);
    checkpoint_last(part.checkpoint, &figures);
    ck_assert_uint_eq(figures.failed, 2);
    ck_assert_ptr_nonnull(strstr(figures.error, "cannot be written"));
    ck_assert_uint_eq(alarms, 1);
    close_part(&part);
}
END_TEST

START_TEST(a_quarter_of_the_time_at_most)
{
    ck_assert_int_eq(checkpoint_due_ns(5 * S, 6 * S, 30 * S), 35 * S);
    ck_assert_int_eq(checkpoint_due_ns(5 * S, 15 * S, 30 * S), 45 * S);
    ck_assert_int_eq(checkpoint_due_ns(5 * S, 75 * S, 30 * S), (5 + 4 * 70) * S);
}
END_TEST

int main(void)
{
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR + 1);
    Suite *suite = suite_create("checkpoint");
    TCase *tcase = tcase_create("checkpoint");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_loop_test(tcase, goes_round_whole, 0, 4);
    tcase_add_test(tcase, what_has_changed_is_added);
    tcase_add_test(tcase, damage_at_every_byte);
    tcase_add_test(tcase, bytes_at_random);
    tcase_add_test(tcase, another_version_is_put_aside);
    tcase_add_test(tcase, after_a_reboot_the_wall_clock_counts);
    tcase_add_test(tcase, a_model_that_says_nothing_is_forgotten);
    tcase_add_test(tcase, a_quarter_of_the_time_at_most);
    tcase_add_test(tcase, a_disk_that_fails_raises_one_alarm);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
