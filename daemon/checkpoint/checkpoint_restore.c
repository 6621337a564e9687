/* How monitors come back at the start. */
#include <errno.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/checkpoint/checkpoint_inside.h"
#include "daemon/checkpoint/file_reader.h"

/* What has to be added to a moment of the clock that the file was written by. Of another boot it is how long ago that
 * was by the calendar; what that puts into the future was just now. */
static int64_t shift_of(const struct checkpoint *self, const struct format_head *head, struct now now)
{
    if (strncmp(self->boot, head->boot, FORMAT_BOOT_MAX - 1) == 0)
        return 0;
    double ago_s = now.wall_s - head->wall_s;
    if (!(ago_s > 0))
        ago_s = 0;
    else if (ago_s > 3e9)
        ago_s = 3e9;
    int64_t shift_ns;
    if (__builtin_sub_overflow(now.steady_ns - (int64_t)(ago_s * 1e9), head->steady_ns, &shift_ns))
        return 0;
    return shift_ns;
}

static void refuse(struct checkpoint *self, uint32_t index, const char *name, int rc, const struct format_head *head)
{
    if (rc == -EPROTO)
        log_error("a file of monitors was written by another version of driftd; it is put aside as <file>.refused, and its "
                  "models begin anew",
                  LOG_TEXT("file", name), LOG_NUMBER("format", head->version), LOG_NUMBER("format_read", FORMAT_VERSION));
    else if (rc == -ENOENT)
        log_error("a file is not one of driftd's monitors, or its head and end are damaged; it is put aside as "
                  "<file>.refused, and its models begin anew",
                  LOG_TEXT("file", name));
    else
        log_error("a file of monitors cannot be read; it is put aside as <file>.refused, and its models begin anew",
                  LOG_TEXT("file", name), LOG_TEXT("why", strerror(-rc)));
    folder_set_aside(&self->folder, index);
}

/* Looks at each file's head, so that a refused one does not stand for older ones that can be read. */
static void look_over(struct checkpoint *self, struct checkpoint_restored *out)
{
    struct file_reader reader;
    char name[FOLDER_NAME_MAX];
    for (uint32_t i = 0; i < self->folder.count;) {
        folder_name(&self->folder.entries[i], name);
        int rc = file_reader_open(&reader, self->folder.fd, name);
        if (rc == 0) {
            file_reader_close(&reader);
            i++;
        } else if (rc == -ENOMEM) {
            i++;
        } else {
            out->refused++;
            refuse(self, i, name, rc, &reader.head);
        }
    }
}

static void count(struct checkpoint_restored *out, int rc)
{
    switch (rc) {
    case 0:
        out->models++;
        break;
    case -EEXIST:
        break;
    case -ESTALE:
        out->too_old++;
        break;
    case -ENOSPC:
    case -EDQUOT:
        out->too_many++;
        break;
    default:
        out->unreadable++;
    }
}

static void read_file(struct checkpoint *self, const char *name, struct checkpoint_restored *out, struct now now)
{
    struct file_reader reader;
    const uint8_t *content;
    uint32_t length;
    struct checkpoint_restored here = {.models = 0};
    int rc = file_reader_open(&reader, self->folder.fd, name);
    if (rc < 0) {
        log_error("a file of monitors cannot be read; its models begin anew", LOG_TEXT("file", name),
                  LOG_TEXT("why", strerror(-rc)));
        return;
    }
    const int64_t shift_ns = shift_of(self, &reader.head, now);
    while (file_reader_next(&reader, &content, &length))
        count(&here, self->ports.restore(self->ports.argument, content, length, shift_ns, now));
    if (reader.damaged || reader.error || here.unreadable)
        log_error("a file of monitors is damaged; the models that it has lost begin anew", LOG_TEXT("file", name),
                  LOG_NUMBER("read", reader.records - here.unreadable), LOG_NUMBER("unreadable", here.unreadable),
                  LOG_NUMBER("lost", reader.promised != UINT64_MAX && reader.promised > reader.records
                                         ? reader.promised - reader.records
                                         : 0),
                  LOG_TEXT("why", reader.error ? strerror(-reader.error) : "its checksums do not hold"));
    out->files++;
    out->damaged += reader.damaged || reader.error;
    out->models += here.models;
    out->too_old += here.too_old;
    out->too_many += here.too_many;
    out->unreadable += here.unreadable;
    file_reader_close(&reader);
}

void checkpoint_restore(struct checkpoint *self, struct checkpoint_restored *out)
{
    const struct now began = clock_now();
    char name[FOLDER_NAME_MAX];
    *out = (struct checkpoint_restored){.models = 0};
    self->all_due = true;
    const int rc = checkpoint_folder(self);
    if (rc < 0) {
        log_error("the folder of monitors cannot be opened, and monitors begin anew; what is in it is put aside as <file>.refused "
                  "once it can be",
                  LOG_TEXT("state_dir", self->state_dir), LOG_TEXT("why", strerror(-rc)));
        self->unread = true;
        return;
    }
    if (self->folder.count)
        self->number = self->folder.entries[self->folder.count - 1].number;
    look_over(self, out);
    /* The newest first: what a model was before is passed over, unless what it was later cannot be read. */
    const uint32_t first = folder_first(&self->folder);
    for (uint32_t i = self->folder.count; i > first; i--) {
        folder_name(&self->folder.entries[i - 1], name);
        read_file(self, name, out, began);
    }
    out->seconds = (double)(clock_now().steady_ns - began.steady_ns) / 1e9;
    if (out->too_many)
        log_warning("models that were kept find no room: metrics.max_models is smaller than it was",
                    LOG_NUMBER("models", out->too_many));
}
