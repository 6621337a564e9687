#include "daemon/ingest/pace.h"

#define MEASURE_NS 5000000 /* long enough for fifty wake-ups at the least rate that matters */
#define S_NS INT64_C(1000000000)

void pace_init(struct pace *self, int64_t most_ns)
{
    *self = (struct pace){.most_ns = most_ns > PACE_WAIT_MOST_NS ? PACE_WAIT_MOST_NS : most_ns};
}

/* Who waits already wakes seldom: then the rate of messages says whether it still pays. */
static void measure(struct pace *self, int64_t passed_ns)
{
    const int64_t limit = passed_ns * PACE_WAKES_PER_S / S_NS;
    const bool many = self->wait_ns ? self->messages >= limit : self->wakes >= limit;
    self->wait_ns = 0;
    if (!many || self->messages == 0)
        return;
    self->wait_ns = passed_ns * PACE_GATHER / self->messages;
    if (self->bytes / PACE_GATHER_BYTES > self->messages / PACE_GATHER)
        self->wait_ns = passed_ns / (int64_t)(self->bytes / PACE_GATHER_BYTES);
    if (self->wait_ns > self->most_ns)
        self->wait_ns = self->most_ns;
}

int64_t pace_turn(struct pace *self, uint32_t count, uint64_t bytes, int64_t now_ns)
{
    const int64_t passed_ns = now_ns - self->since_ns;
    self->wakes++;
    self->messages += count;
    self->bytes += bytes;
    if (passed_ns >= MEASURE_NS) {
        measure(self, passed_ns);
        self->since_ns = now_ns;
        self->wakes = self->messages = 0;
        self->bytes = 0;
    }
    return count ? self->wait_ns : 0;
}
