#include "daemon/workers/model_record.h"

#include <errno.h>

#include "lib/codec.h"

static void walk_head(char text[MODEL_ID_MAX + 1], struct model_record *record, struct codec *codec, int64_t shift_ns)
{
    codec_text(codec, text, MODEL_ID_MAX + 1);
    codec_moment(codec, &record->first_seen_ns, shift_ns);
    codec_moment(codec, &record->heard_ns, shift_ns);
    codec_flag(codec, &record->serving_told);
    codec_flag(codec, &record->silent_told);
}

static void save(const struct model *model, struct codec *codec)
{
    char text[MODEL_ID_MAX + 1];
    struct model_record record = {.first_seen_ns = model->first_seen_ns,
                                  .heard_ns = model->heard_ns,
                                  .serving_told = model->serving_told,
                                  .silent_told = model->silent_told};
    memcpy(text, model->text, (size_t)model->len + 1);
    walk_head(text, &record, codec, 0);
    const size_t opened = codec_open(codec);
    const bool writes = codec->out && !codec->failed;
    codec_skip(codec, monitor_save(model->monitor, writes ? codec->out + codec->at : NULL,
                                   writes ? codec->size - codec->at : 0));
    codec_close(codec, opened);
    recorder_save(&model->recorder, model->monitor, codec);
}

size_t model_record_save(const struct model *model, void *buffer, size_t size)
{
    struct codec saving = {.out = buffer, .size = size}, counting = {0};
    save(model, &saving);
    if (!saving.failed)
        return saving.at;
    save(model, &counting);
    return counting.at;
}

int model_record_id(const void *bytes, size_t size, struct model_id *out)
{
    struct codec loading = {.in = bytes, .size = size};
    const size_t length = codec_open(&loading);
    if (loading.failed || model_id_parse(out, (struct text){(const char *)bytes + loading.at, length}) < 0)
        return -EPROTO;
    return 0;
}

int model_record_load(struct model_record *out, const struct monitor_settings *settings, const void *bytes, size_t size,
                      int64_t shift_ns)
{
    struct codec loading = {.in = bytes, .size = size};
    char text[MODEL_ID_MAX + 1] = "";
    *out = (struct model_record){.monitor = NULL};
    walk_head(text, out, &loading, shift_ns);
    const size_t length = codec_open(&loading);
    const uint8_t *saved = loading.in + loading.at;
    codec_skip(&loading, length);
    if (loading.failed)
        return -EPROTO;
    int rc = monitor_load(&out->monitor, settings, saved, length, shift_ns);
    if (rc < 0)
        return rc;
    recorder_load(&out->recorder, out->monitor, &loading);
    if (!loading.failed && loading.at == size)
        return 0;
    monitor_destroy(&out->monitor);
    recorder_clear(&out->recorder);
    return -EPROTO;
}
