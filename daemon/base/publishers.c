#include "daemon/base/publishers.h"

#include <stdio.h>
#include <string.h>

static struct publisher *find(struct publishers *self, const char *endpoint)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (strcmp(self->at[i].endpoint, endpoint) == 0 || strcmp(self->at[i].address, endpoint) == 0)
            return &self->at[i];
    return NULL;
}

/* A connection that was gone before anybody asked for its address left none: the next name is that of the one it was. */
static struct publisher *adopt(struct publishers *self, const char *endpoint)
{
    for (uint32_t i = 0; i < self->count; i++) {
        struct publisher *publisher = &self->at[i];
        if (publisher->ended_ns && !*publisher->address) {
            snprintf(publisher->address, sizeof publisher->address, "%s", endpoint);
            return publisher;
        }
    }
    return NULL;
}

static struct publisher *find_or_add(struct publishers *self, const char *endpoint)
{
    struct publisher *publisher = find(self, endpoint);
    if (!publisher)
        publisher = adopt(self, endpoint);
    if (!publisher && self->count < PUBLISHERS_MAX) {
        publisher = &self->at[self->count++];
        *publisher = (struct publisher){.ended_ns = 0};
        snprintf(publisher->endpoint, sizeof publisher->endpoint, "%s", endpoint);
    }
    return publisher;
}

bool publishers_tried(struct publishers *self, const char *endpoint)
{
    struct publisher *publisher = find_or_add(self, endpoint);
    if (!publisher)
        return false;
    const bool first = !publisher->away;
    publisher->away = true;
    publisher->ended_ns = 0;
    return first;
}

void publishers_connected(struct publishers *self, const char *endpoint, const char *address)
{
    struct publisher *publisher = find_or_add(self, endpoint);
    if (!publisher)
        return;
    if (*address)
        snprintf(publisher->address, sizeof publisher->address, "%s", address);
    publisher->in = false;
    publisher->ended_ns = 0;
}

bool publishers_reached(struct publishers *self, const char *endpoint)
{
    struct publisher *publisher = find(self, endpoint);
    if (!publisher)
        return false;
    const bool was_away = publisher->away;
    publisher->away = false;
    publisher->in = true;
    return was_away;
}

void publishers_ended(struct publishers *self, const char *endpoint, int64_t now_ns)
{
    struct publisher *publisher = find(self, endpoint);
    if (publisher)
        publisher->ended_ns = now_ns;
}

uint32_t publishers_lost(struct publishers *self, int64_t now_ns, struct publisher *lost[PUBLISHERS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->at[i].ended_ns && now_ns - self->at[i].ended_ns < PUBLISHERS_LOST_NS)
            return 0;
        if (self->at[i].ended_ns)
            lost[count++] = &self->at[i];
    }
    for (uint32_t i = 0; i < self->count; i++)
        self->at[i].ended_ns = 0;
    return count;
}
