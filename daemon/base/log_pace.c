#include "daemon/base/log_pace.h"

#include <stdio.h>
#include <string.h>

bool log_pace_admit(struct log_pace *self, const char *sentence, int64_t now_ns)
{
    uint32_t i = 0;
    while (i < self->count && strncmp(self->at[i].sentence, sentence, LOG_PACE_BYTES - 1) != 0)
        i++;
    if (i == LOG_PACE_SENTENCES)
        return true;
    if (i == self->count) {
        snprintf(self->at[self->count++].sentence, LOG_PACE_BYTES, "%s", sentence);
        self->at[i].began_ns = now_ns;
    }
    if (now_ns - self->at[i].began_ns >= LOG_PACE_NS && self->at[i].held == 0) {
        self->at[i].began_ns = now_ns;
        self->at[i].lines = 0;
    }
    if (self->at[i].lines < LOG_PACE_LINES) {
        self->at[i].lines++;
        return true;
    }
    self->at[i].held++;
    return false;
}

bool log_pace_left_out(struct log_pace *self, int64_t now_ns, char sentence[LOG_PACE_BYTES], uint64_t *lines)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->at[i].held == 0 || now_ns - self->at[i].began_ns < LOG_PACE_NS)
            continue;
        memcpy(sentence, self->at[i].sentence, LOG_PACE_BYTES);
        *lines = self->at[i].held;
        self->at[i].began_ns = now_ns;
        self->at[i].lines = self->at[i].held = 0;
        return true;
    }
    return false;
}
