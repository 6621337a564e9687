/* How one checkpoint is written. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/checkpoint/checkpoint_inside.h"
#include "lib/wire/cloud_event.h"

#define NEW_FILES_MAX 1000 /* between two with all models */
#define POLL_MAX_MS 200

struct writing {
    struct folder_file file;
    struct format_head head;
    struct now began;
    uint64_t models, left_out;
    bool direct;
};

/* The next slice of a shard. */
static int fetch(struct checkpoint *self, const struct writing *writing)
{
    struct slice *slice = &self->slice;
    if (writing->direct) {
        self->ports.fill(self->ports.argument, slice);
        return 0;
    }
    self->slice_back = false;
    int rc = self->ports.ask(self->ports.argument, slice);
    while (rc == 0 && !self->slice_back)
        checkpoint_letters(self, POLL_MAX_MS);
    return rc < 0 || !self->stopping ? rc : -ECANCELED;
}

/* Waits until so many bytes may have been written. */
static int pace(struct checkpoint *self, const struct writing *writing)
{
    const int64_t until_ns = writing->began.steady_ns +
                             (int64_t)((double)writing->file.bytes / (double)CHECKPOINT_BYTES_PER_S * 1e9);
    while (!writing->direct && !self->stopping) {
        int64_t left_ms = (until_ns - clock_now().steady_ns) / CLOCK_MS_NS;
        if (left_ms <= 0)
            break;
        checkpoint_letters(self, left_ms < POLL_MAX_MS ? (int)left_ms : POLL_MAX_MS);
    }
    return self->stopping && !writing->direct ? -ECANCELED : 0;
}

static int write_shard(struct checkpoint *self, struct writing *writing, uint32_t shard)
{
    struct slice *slice = &self->slice;
    int rc = 0;
    slice->shard = shard;
    slice->begin = true;
    slice->changed_only = writing->head.changed_only;
    do {
        rc = fetch(self, writing);
        if (rc < 0)
            break;
        slice->begin = false;
        writing->models += slice->models;
        writing->left_out += slice->left_out;
        format_seal(slice->bytes, slice->used);
        rc = folder_write(&writing->file, slice->bytes, slice->used);
        if (rc == 0)
            rc = pace(self, writing);
    } while (rc == 0 && !slice->last);
    return rc;
}

static int write_file(struct checkpoint *self, struct writing *writing)
{
    uint8_t head[FORMAT_HEAD], end[FORMAT_END];
    int rc = folder_create(&self->folder, &writing->file);
    if (rc < 0)
        return rc;
    format_head_write(head, &writing->head);
    rc = folder_write(&writing->file, head, sizeof head);
    for (uint32_t i = 0; i < self->options.shards && rc == 0; i++)
        rc = write_shard(self, writing, i);
    format_end_write(end, &writing->head, writing->models);
    if (rc == 0)
        rc = folder_write(&writing->file, end, sizeof end);
    if (rc < 0 || (writing->models == 0 && writing->head.changed_only)) {
        folder_abandon(&self->folder, &writing->file);
        return rc;
    }
    const struct folder_entry entry = {writing->head.number, writing->head.changed_only};
    return folder_commit(&self->folder, &writing->file, &entry);
}

/* What the next one has to hold. Once the files since the last one with all models are as long as that, it is time for a
 * new one: no model is written more than twice as often as it changes, and a start reads no more than twice all. */
static void account(struct checkpoint *self, const struct writing *writing, int rc)
{
    if (rc < 0) {
        self->all_due = true;                /* models that were handed over count as unchanged */
        self->number = writing->head.number; /* the file may stand there all the same: its name is used up */
        return;
    }
    if (writing->models == 0 && writing->head.changed_only)
        return;
    self->number = writing->head.number;
    if (writing->head.changed_only) {
        self->new_bytes += writing->file.bytes;
        self->all_due = self->new_bytes > self->all_bytes || self->folder.count > NEW_FILES_MAX;
    } else {
        self->all_bytes = writing->file.bytes;
        self->new_bytes = 0;
        self->all_due = false;
        folder_drop(&self->folder, self->folder.count - 1);
    }
}

static void tell(struct checkpoint *self, bool raised, const char *message, struct now now)
{
    char id[64];
    struct json_write out = {.at = NULL};
    snprintf(id, sizeof id, "checkpoint/%.3f/%llu", now.wall_s, (unsigned long long)++self->alarms);
    struct cloud_event_head head = {
        .type = "driftd.alarm", .source = self->ports.source, .id = id, .time_s = now.wall_s};
    cloud_event_open(&out, &head);
    json_write_bracket(&out, '{');
    json_write_key(&out, "alarm");
    json_write_string(&out, "checkpoint_failed");
    json_write_key(&out, "raised");
    json_write_bool(&out, raised);
    json_write_key(&out, "message");
    json_write_string(&out, message);
    json_write_bracket(&out, '}');
    json_write_bracket(&out, '}');
    struct text json = json_write_whole(&out);
    struct cloud_event *event = cloud_event_new(head.type, NULL, false, json.at, json.len);
    free(json_write_take(&out));
    if (event)
        self->ports.event(self->ports.argument, event);
}

/* Puts down how it went; an alarm is raised once, and taken back when it is over. */
static void note(struct checkpoint *self, const struct writing *writing, int rc, struct now now)
{
    struct checkpoint_figures figures;
    checkpoint_last(self, &figures);
    const bool failed_before = *figures.error != '\0';
    if (rc < 0) {
        figures.failed++;
        snprintf(figures.error, sizeof figures.error, "the monitors cannot be written beside the store: %s", strerror(-rc));
    } else {
        figures = (struct checkpoint_figures){.at_s = now.wall_s,
                                              .models = writing->models,
                                              .bytes = writing->models || !writing->head.changed_only ? writing->file.bytes : 0,
                                              .seconds = (double)(now.steady_ns - writing->began.steady_ns) / 1e9,
                                              .failed = figures.failed};
    }
    pthread_mutex_lock(&self->mutex);
    self->figures = figures;
    pthread_mutex_unlock(&self->mutex);
    if (rc < 0 && !failed_before) {
        log_error(figures.error, LOG_TEXT("alarm", "checkpoint_failed"), LOG_TEXT("state_dir", self->state_dir));
        tell(self, true, figures.error, now);
    } else if (rc == 0 && failed_before) {
        log_info("monitors can be written again", LOG_TEXT("alarm", "checkpoint_failed"));
        tell(self, false, "monitors can be written again", now);
    }
    if (writing->left_out)
        log_warning("no memory to write some models down; they are in the next checkpoint",
                    LOG_NUMBER("models", writing->left_out));
}

int checkpoint_write(struct checkpoint *self, bool direct)
{
    struct writing writing = {.file.fd = -1, .direct = direct, .began = clock_now()};
    writing.head = (struct format_head){.version = FORMAT_VERSION,
                                        .changed_only = !self->all_due,
                                        .number = self->number + 1,
                                        .steady_ns = writing.began.steady_ns,
                                        .wall_s = writing.began.wall_s};
    snprintf(writing.head.boot, sizeof writing.head.boot, "%.*s", FORMAT_BOOT_MAX - 1, self->boot);
    int rc = checkpoint_folder(self);
    if (rc == 0)
        rc = write_file(self, &writing);
    account(self, &writing, rc);
    if (rc != -ECANCELED)
        note(self, &writing, rc, clock_now());
    return rc;
}
