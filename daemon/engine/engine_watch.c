#include <stdio.h>

#include "daemon/base/log.h"
#include "daemon/base/notify.h"
#include "daemon/engine/inside.h"

/* What the watchdog proves: that the main loop turns, and that the loop of every station has turned within the last
 * half of the interval, by a counter that each turn raises. A turn of the requests station ends with its commit, so
 * that a disk that hangs is found out too. It does not prove that frames arrive. */

#define STATUS_EVERY_NS (5 * CLOCK_S_NS)
#define LOOK_EVERY_NS CLOCK_S_NS
#define PATIENCE_LEAST_NS (2 * HEART_TURN_MAX_MS * CLOCK_MS_NS) /* quiet stations turn no faster */

static void pulse_add(struct engine *self, const char *name, const struct heart *heart, int64_t now_ns)
{
    self->pulses[self->pulse_count++] = (struct pulse){.name = name, .heart = heart, .seen_ns = now_ns};
}

void engine_watch_begin(struct engine *self, int64_t now_ns)
{
    self->watchdog_ns = notify_watchdog_ns();
    self->looked_ns = self->status_ns = now_ns;
    pulse_add(self, "requests", requests_heart(self->requests), now_ns);
    pulse_add(self, "ingest", ingest_heart(self->ingest), now_ns);
    pulse_add(self, "observe", observe_heart(self->observe), now_ns);
    pulse_add(self, "handshakes", handshakes_heart(self->handshakes), now_ns);
    if (self->tap)
        pulse_add(self, "tap", tap_heart(self->tap), now_ns);
    pulse_add(self, "control", control_heart(self->control), now_ns);
    if (self->http)
        pulse_add(self, "http", http_heart(self->http), now_ns);
    if (self->security)
        pulse_add(self, "security", security_heart(self->security), now_ns);
    for (uint32_t i = 0; i < workers_threads(self->workers); i++)
        pulse_add(self, "worker", workers_heart(self->workers, i), now_ns);
}

static int64_t patience_ns(const struct engine *self)
{
    return self->watchdog_ns / 2 > PATIENCE_LEAST_NS ? self->watchdog_ns / 2 : PATIENCE_LEAST_NS;
}

static bool all_alive(struct engine *self, int64_t now_ns)
{
    bool alive = true;
    for (uint32_t i = 0; i < self->pulse_count; i++) {
        struct pulse *pulse = &self->pulses[i];
        uint64_t count = heart_count(pulse->heart);
        if (count != pulse->count)
            pulse->seen_ns = now_ns;
        pulse->count = count;
        alive = alive && now_ns - pulse->seen_ns < patience_ns(self);
    }
    return alive;
}

static void tell_status(struct engine *self, int64_t now_ns)
{
    uint64_t events = workers_events(self->workers);
    double passed_s = (double)(now_ns - self->status_ns) / (double)CLOCK_S_NS;
    char sentence[128];
    snprintf(sentence, sizeof sentence, "%u models, %.0f events per second, %llu events since the start",
             workers_models(self->workers), passed_s > 0 ? (double)(events - self->status_events) / passed_s : 0.0,
             (unsigned long long)events);
    notify_status(sentence);
    self->status_ns = now_ns;
    self->status_events = events;
}

void engine_watch(struct engine *self, int64_t now_ns)
{
    if (now_ns - self->status_ns >= STATUS_EVERY_NS)
        tell_status(self, now_ns);
    engine_memory_look(self, now_ns);
    if (self->watchdog_ns == 0)
        return;
    bool alive = all_alive(self, now_ns);
    if (now_ns - self->looked_ns < self->watchdog_ns / 4)
        return;
    self->looked_ns = now_ns;
    if (alive)
        notify_watchdog();
    for (uint32_t i = 0; i < self->pulse_count; i++) {
        if (now_ns - self->pulses[i].seen_ns >= patience_ns(self))
            log_error("a station does not answer; without it the service manager will start the daemon again",
                      LOG_TEXT("station", self->pulses[i].name),
                      LOG_NUMBER("silent_s", (double)(now_ns - self->pulses[i].seen_ns) / 1e9));
    }
}

int engine_watch_pause_ms(const struct engine *self)
{
    int64_t pause_ns = LOOK_EVERY_NS;
    if (self->watchdog_ns > 0 && self->watchdog_ns / 8 < pause_ns)
        pause_ns = self->watchdog_ns / 8;
    return (int)(pause_ns / CLOCK_MS_NS);
}
