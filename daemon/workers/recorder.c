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

static bool make_room(struct recorder *self, uint32_t count)
{
    if (count <= self->count)
        return true;
    float(*tracks)[RECORDER_VALUES] = realloc(self->tracks, count * sizeof *tracks);
    if (!tracks)
        return false;
    self->tracks = tracks;
    self->count = (uint8_t)count;
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
        uint8_t *next = &self->next[at];
        self->tracks[at][*next % RECORDER_VALUES] = (float)event->metrics[i].number;
        if (++*next == 2 * RECORDER_VALUES)
            *next = RECORDER_VALUES; /* the same place in the ring, and still full */
        after = (uint32_t)at + 1;
    }
}

uint32_t recorder_recent(const struct recorder *self, uint32_t index, float *out, uint32_t most)
{
    if (index >= self->count)
        return 0;
    uint32_t next = self->next[index];
    uint32_t kept = next < RECORDER_VALUES ? next : RECORDER_VALUES;
    uint32_t count = kept < most ? kept : most;
    for (uint32_t i = 0; i < count; i++)
        out[i] = self->tracks[index][(next - count + i) % RECORDER_VALUES];
    return count;
}

void recorder_save(const struct recorder *self, const struct monitor *monitor, struct codec *codec)
{
    uint32_t tracks = self->count;
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
        memcpy(self->tracks[at], values, count * sizeof *values);
        self->next[at] = (uint8_t)count;
    }
}

void recorder_clear(struct recorder *self)
{
    free(self->tracks);
    *self = (struct recorder){0};
}
