#include "daemon/workers/recorder.h"

#include <stdlib.h>

/* Where the monitor keeps the metric; metrics of an event mostly come in one order, so the search begins behind the
 * last one found. -1: not among those that are recorded. */
static int track_of(const struct monitor *monitor, struct text name, uint32_t after)
{
    uint32_t count = monitor_metric_count(monitor);
    if (count > RECORDER_METRICS_MAX)
        count = RECORDER_METRICS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (after + i) % count;
        const char *known = monitor_metric_name(monitor, at);
        if (strncmp(known, name.at, name.len) == 0 && known[name.len] == '\0')
            return (int)at;
    }
    return -1;
}

static uint32_t count_of(const struct recorder *self)
{
    return self->tracks ? self->tracks->count : 0;
}

static bool make_room(struct recorder *self, uint32_t count)
{
    if (count <= count_of(self))
        return true;
    struct recorder_tracks *tracks = realloc(self->tracks, sizeof *tracks + count * sizeof tracks->values[0]);
    if (!tracks)
        return false;
    if (!self->tracks)
        memset(tracks, 0, sizeof *tracks);
    tracks->count = (uint8_t)count;
    self->tracks = tracks;
    return true;
}

void recorder_add(struct recorder *self, const struct monitor *monitor, const struct metric_event *event)
{
    uint32_t after = 0;
    for (uint32_t i = 0; i < event->metric_count; i++) {
        if (event->metrics[i].kind != METRIC_NUMBER)
            continue;
        int at = track_of(monitor, event->metrics[i].name, after);
        if (at < 0 || !make_room(self, (uint32_t)at + 1))
            continue;
        uint8_t *next = &self->tracks->next[at];
        self->tracks->values[at][*next % RECORDER_VALUES] = (float)event->metrics[i].number;
        if (++*next == 2 * RECORDER_VALUES)
            *next = RECORDER_VALUES; /* the same place in the ring, and still full */
        after = (uint32_t)at + 1;
    }
}

uint32_t recorder_recent(const struct recorder *self, uint32_t index, float *out, uint32_t most)
{
    if (index >= count_of(self))
        return 0;
    uint32_t next = self->tracks->next[index];
    uint32_t kept = next < RECORDER_VALUES ? next : RECORDER_VALUES;
    uint32_t count = kept < most ? kept : most;
    for (uint32_t i = 0; i < count; i++)
        out[i] = self->tracks->values[index][(next - count + i) % RECORDER_VALUES];
    return count;
}

void recorder_save(const struct recorder *self, const struct monitor *monitor, struct codec *codec)
{
    uint32_t tracks = count_of(self);
    codec_u32(codec, &tracks, RECORDER_METRICS_MAX);
    for (uint32_t i = 0; i < tracks; i++) {
        char name[METRIC_NAME_MAX + 1];
        float values[RECORDER_VALUES];
        uint32_t count = recorder_recent(self, i, values, RECORDER_VALUES);
        const char *known = monitor_metric_name(monitor, i);
        memcpy(name, known, strlen(known) + 1);
        codec_text(codec, name, sizeof name);
        codec_u32(codec, &count, RECORDER_VALUES);
        codec_f32s(codec, values, count);
    }
}

void recorder_load(struct recorder *self, const struct monitor *monitor, struct codec *codec)
{
    uint32_t tracks = 0;
    codec_u32(codec, &tracks, RECORDER_METRICS_MAX);
    for (uint32_t i = 0; i < tracks && !codec->failed; i++) {
        char name[METRIC_NAME_MAX + 1] = "";
        float values[RECORDER_VALUES];
        uint32_t count = 0;
        codec_text(codec, name, sizeof name);
        codec_u32(codec, &count, RECORDER_VALUES);
        codec_f32s(codec, values, count);
        int at = codec->failed ? -1 : track_of(monitor, text_of(name), i);
        if (at < 0 || !make_room(self, (uint32_t)at + 1))
            continue;
        memcpy(self->tracks->values[at], values, count * sizeof *values);
        self->tracks->next[at] = (uint8_t)count;
    }
}

void recorder_clear(struct recorder *self)
{
    free(self->tracks);
    *self = (struct recorder){0};
}
