/* What was used in the last 24 hours: a ticket for each start and each attempt's cost, in the order of time. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/retrain/limits_inside.h"

static struct limit_ticket *ticket_new(struct limits *self, struct limit_account *account, int64_t at_ns,
                                       struct limit_ticket **owner)
{
    struct limit_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return NULL;
    *ticket = (struct limit_ticket){.at_ns = at_ns, .account = account, .owner = owner};
    /* Nearly always the newest; after a restart they come as the store has them. */
    struct limit_ticket *older = self->newest;
    while (older && older->at_ns > at_ns)
        older = older->older;
    ticket->older = older;
    ticket->newer = older ? older->newer : self->oldest;
    *(older ? &older->newer : &self->oldest) = ticket;
    *(ticket->newer ? &ticket->newer->older : &self->newest) = ticket;
    return ticket;
}

static struct family *family_of(struct limits *self, struct text name)
{
    struct map_link *link = map_get(&self->families, name);
    if (link)
        return MAP_THING(link, struct family, link);
    struct family *family = calloc(1, sizeof *family + name.len + 1);
    if (!family)
        return NULL;
    memcpy(family->name, name.at, name.len);
    map_put(&self->families, &family->link, (struct text){family->name, name.len});
    return family;
}

static void family_free_when_empty(struct limits *self, struct family *family)
{
    if (family->starts)
        return;
    map_remove(&self->families, &family->link);
    free(family);
}

int limits_start(struct limits *self, struct limit_account *account, struct text family, int64_t at_ns,
                 struct limit_ticket **ticket_p)
{
    struct family *entry = family_of(self, family);
    if (!entry)
        return -ENOMEM;
    struct limit_ticket *ticket = ticket_new(self, account, at_ns, ticket_p);
    if (!ticket) {
        family_free_when_empty(self, entry);
        return -ENOMEM;
    }
    ticket->family = entry;
    struct limit_ticket *older = entry->newest;
    while (older && older->at_ns > at_ns)
        older = older->family_older;
    ticket->family_older = older;
    ticket->family_newer = older ? older->family_newer : entry->oldest;
    *(older ? &older->family_newer : &entry->oldest) = ticket;
    *(ticket->family_newer ? &ticket->family_newer->family_older : &entry->newest) = ticket;
    entry->starts++;
    account->use.starts++;
    self->fleet.starts++;
    *ticket_p = ticket;
    return 0;
}

int limits_spend(struct limits *self, struct limit_account *account, int64_t micro_gpu_hours, int64_t at_ns,
                 struct limit_ticket **ticket_p)
{
    struct limit_ticket *ticket = ticket_new(self, account, at_ns, ticket_p);
    if (!ticket)
        return -ENOMEM;
    *ticket_p = ticket;
    limits_correct(self, ticket, micro_gpu_hours);
    return 0;
}

void limits_correct(struct limits *self, struct limit_ticket *ticket, int64_t micro_gpu_hours)
{
    int64_t more = micro_gpu_hours - ticket->micro_gpu_hours;
    ticket->micro_gpu_hours = micro_gpu_hours;
    self->fleet.micro_gpu_hours += more;
    ticket->account->use.micro_gpu_hours += more;
    if (more < 0)
        limits_ease(self, ticket->account);
}

static void ticket_remove(struct limits *self, struct limit_ticket *ticket)
{
    struct family *family = ticket->family;
    limits_correct(self, ticket, 0);
    if (family) {
        *(ticket->family_older ? &ticket->family_older->family_newer : &family->oldest) = ticket->family_newer;
        *(ticket->family_newer ? &ticket->family_newer->family_older : &family->newest) = ticket->family_older;
        family->starts--;
        family_free_when_empty(self, family);
        ticket->account->use.starts--;
        self->fleet.starts--;
        limits_ease(self, ticket->account);
    }
    *(ticket->older ? &ticket->older->newer : &self->oldest) = ticket->newer;
    *(ticket->newer ? &ticket->newer->older : &self->newest) = ticket->older;
    if (ticket->owner)
        *ticket->owner = NULL;
    free(ticket);
}

void limits_refund(struct limits *self, struct limit_ticket **ticket_p)
{
    if (*ticket_p)
        ticket_remove(self, *ticket_p);
}

void limits_let_go(struct limit_ticket **ticket_p)
{
    if (*ticket_p)
        (*ticket_p)->owner = NULL;
    *ticket_p = NULL;
}

void limits_expire(struct limits *self, int64_t now_ns)
{
    for (struct limit_ticket *oldest; (oldest = self->oldest) && oldest->at_ns + LIMITS_DAY_NS <= now_ns;) {
        assert(!oldest->older);
        ticket_remove(self, oldest);
    }
}

int64_t limits_next_expiry_ns(const struct limits *self)
{
    return self->oldest ? self->oldest->at_ns + LIMITS_DAY_NS : INT64_MAX;
}
