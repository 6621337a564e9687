#include "daemon/base/ceiling.h"

void ceiling_init(struct ceiling *self, int64_t most)
{
    atomic_init(&self->used, 0);
    atomic_init(&self->most, most);
    atomic_init(&self->closed, false);
    atomic_init(&self->refused, 0);
}

static bool refuse(struct ceiling *self)
{
    atomic_fetch_add_explicit(&self->refused, 1, memory_order_relaxed);
    return false;
}

bool ceiling_take(struct ceiling *self, int64_t bytes)
{
    if (bytes > 0 && ceiling_closed(self))
        return refuse(self);
    const int64_t used = atomic_fetch_add_explicit(&self->used, bytes, memory_order_relaxed) + bytes;
    if (bytes <= 0 || used <= ceiling_most(self))
        return true;
    ceiling_count(self, -bytes);
    return refuse(self);
}

void ceiling_count(struct ceiling *self, int64_t bytes)
{
    atomic_fetch_add_explicit(&self->used, bytes, memory_order_relaxed);
}

bool ceiling_refuses(struct ceiling *self, int64_t bytes)
{
    if (!ceiling_closed(self) && ceiling_used(self) + bytes <= ceiling_most(self))
        return false;
    refuse(self);
    return true;
}

void ceiling_set(struct ceiling *self, int64_t most)
{
    atomic_store_explicit(&self->most, most, memory_order_relaxed);
}

void ceiling_close(struct ceiling *self, bool closed)
{
    atomic_store_explicit(&self->closed, closed, memory_order_relaxed);
}

int64_t ceiling_used(const struct ceiling *self)
{
    return atomic_load_explicit(&self->used, memory_order_relaxed);
}

int64_t ceiling_most(const struct ceiling *self)
{
    return atomic_load_explicit(&self->most, memory_order_relaxed);
}

bool ceiling_closed(const struct ceiling *self)
{
    return atomic_load_explicit(&self->closed, memory_order_relaxed);
}

uint64_t ceiling_refused(const struct ceiling *self)
{
    return atomic_load_explicit(&self->refused, memory_order_relaxed);
}
