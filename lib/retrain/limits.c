#include "lib/retrain/limits_inside.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

int64_t limits_micro(double gpu_hours)
{
    if (!(gpu_hours > 0))
        return 0;
    return gpu_hours < 1e9 ? llround(gpu_hours * 1e6) : INT64_C(1000000000000000);
}

const char *limit_kind_name(enum limit_kind kind)
{
    switch (kind) {
    case LIMIT_NONE:
        break;
    case LIMIT_CONCURRENT:
        return "concurrent";
    case LIMIT_PER_DAY:
        return "per_day";
    case LIMIT_GPU_HOURS:
        return "gpu_hours_per_day";
    case LIMIT_PER_MODEL:
        return "per_model_per_day";
    }
    return "";
}

static void projects_free(struct limit_project *projects, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free((char *)(uintptr_t)projects[i].project);
    free(projects);
}

/* A copy with names of its own; NULL: no memory. */
static struct limit_project *projects_copy(const struct limit_project *projects, uint32_t count)
{
    struct limit_project *copy = calloc(count ? count : 1, sizeof *copy);
    for (uint32_t i = 0; copy && i < count; i++) {
        copy[i] = (struct limit_project){.project = strdup(projects[i].project), .set = projects[i].set};
        if (!copy[i].project) {
            projects_free(copy, i);
            return NULL;
        }
    }
    return copy;
}

int limits_new(struct limits **self_p, const struct limit_set *fleet, const struct limit_project *projects,
               uint32_t count, const struct siphash_key *key)
{
    *self_p = NULL;
    struct limits *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->fleet.set = *fleet;
    self->projects = projects_copy(projects, count);
    self->project_count = self->projects ? count : 0;
    if (!self->projects || map_init(&self->accounts, key) < 0 || map_init(&self->families, key) < 0) {
        limits_destroy(&self);
        return -ENOMEM;
    }
    *self_p = self;
    return 0;
}

static void free_account(void *argument, struct map_link *link)
{
    (void)argument;
    free(MAP_THING(link, struct limit_account, link));
}

static void free_family(void *argument, struct map_link *link)
{
    (void)argument;
    free(MAP_THING(link, struct family, link));
}

void limits_destroy(struct limits **self_p)
{
    struct limits *self = *self_p;
    if (!self)
        return;
    for (struct limit_ticket *ticket = self->oldest, *newer; ticket; ticket = newer) {
        newer = ticket->newer;
        if (ticket->owner)
            *ticket->owner = NULL;
        free(ticket);
    }
    map_drain(&self->accounts, free_account, NULL);
    map_drain(&self->families, free_family, NULL);
    map_free(&self->accounts);
    map_free(&self->families);
    projects_free(self->projects, self->project_count);
    free(self);
    *self_p = NULL;
}

/* A project's own limits; none where there are none. */
static struct limit_set set_of(const struct limits *self, struct text project)
{
    for (uint32_t i = 0; i < self->project_count; i++) {
        if (text_is(project, self->projects[i].project))
            return self->projects[i].set;
    }
    return (struct limit_set){0};
}

struct limit_account *limits_account(struct limits *self, struct text project)
{
    struct map_link *link = map_get(&self->accounts, project);
    if (link)
        return MAP_THING(link, struct limit_account, link);
    struct limit_account *account = calloc(1, sizeof *account + project.len + 1);
    if (!account)
        return NULL;
    memcpy(account->name, project.at, project.len);
    account->use.set = set_of(self, project);
    map_put(&self->accounts, &account->link, (struct text){account->name, project.len});
    return account;
}

static enum limit_kind judge(const struct use *use, bool first, int64_t micro_gpu_hours)
{
    const struct limit_set *set = &use->set;
    if (set->concurrent && use->running >= set->concurrent)
        return LIMIT_CONCURRENT;
    if (first && set->per_day && use->starts >= set->per_day)
        return LIMIT_PER_DAY;
    if (set->micro_gpu_hours_per_day && use->micro_gpu_hours + micro_gpu_hours > set->micro_gpu_hours_per_day)
        return LIMIT_GPU_HOURS;
    return LIMIT_NONE;
}

struct limit_hold limits_judge_fleet(const struct limits *self, bool first, int64_t micro_gpu_hours)
{
    return (struct limit_hold){.kind = judge(&self->fleet, first, micro_gpu_hours)};
}

struct limit_hold limits_judge_project(const struct limit_account *account, bool first, int64_t micro_gpu_hours)
{
    return (struct limit_hold){.kind = judge(&account->use, first, micro_gpu_hours), .of_project = true};
}

bool limits_model_of_project(const struct limits *self, const struct limit_account *account)
{
    uint32_t fleet = self->fleet.set.per_model_per_day, project = account->use.set.per_model_per_day;
    return project && (!fleet || project < fleet);
}

int64_t limits_model_free_ns(const struct limits *self, const struct limit_account *account, struct text family)
{
    bool of_project = limits_model_of_project(self, account);
    uint32_t most = of_project ? account->use.set.per_model_per_day : self->fleet.set.per_model_per_day;
    const struct map_link *link = most ? map_get(&self->families, family) : NULL;
    if (!link)
        return INT64_MIN;
    const struct family *entry = MAP_THING(link, const struct family, link);
    if (entry->starts < most)
        return INT64_MIN;
    const struct limit_ticket *ticket = entry->oldest;
    for (uint32_t over = entry->starts - most; over > 0; over--)
        ticket = ticket->family_newer;
    return ticket->at_ns + LIMITS_DAY_NS;
}

int64_t limits_free_ns(const struct limits *self, const struct limit_account *account, enum limit_kind kind,
                       int64_t micro_gpu_hours)
{
    const struct use *use = account ? &account->use : &self->fleet;
    uint32_t starts = use->starts;
    int64_t spent = use->micro_gpu_hours;
    if (kind != LIMIT_PER_DAY && kind != LIMIT_GPU_HOURS)
        return INT64_MAX;
    for (const struct limit_ticket *ticket = self->oldest; ticket; ticket = ticket->newer) {
        if (account && ticket->account != account)
            continue;
        starts -= ticket->family != NULL;
        spent -= ticket->micro_gpu_hours;
        if (kind == LIMIT_PER_DAY ? starts < use->set.per_day : spent + micro_gpu_hours <= use->set.micro_gpu_hours_per_day)
            return ticket->at_ns + LIMITS_DAY_NS;
    }
    return INT64_MAX;
}

void limits_ease(struct limits *self, struct limit_account *account)
{
    if (account->eased)
        return;
    account->eased = true;
    account->next_eased = self->eased;
    self->eased = account;
}

void limits_enter(struct limits *self, struct limit_account *account)
{
    self->fleet.running++;
    account->use.running++;
}

void limits_leave(struct limits *self, struct limit_account *account)
{
    assert(account->use.running > 0);
    self->fleet.running--;
    account->use.running--;
    limits_ease(self, account);
}

struct limit_account *limits_take_eased(struct limits *self)
{
    struct limit_account *account = self->eased;
    if (account) {
        self->eased = account->next_eased;
        account->eased = false;
    }
    return account;
}

int limits_change(struct limits *self, const struct limit_set *fleet, const struct limit_project *projects,
                  uint32_t count)
{
    struct limit_project *copy = projects_copy(projects, count);
    if (!copy)
        return -ENOMEM;
    projects_free(self->projects, self->project_count);
    self->projects = copy;
    self->project_count = count;
    self->fleet.set = *fleet;
    for (size_t i = 0; i <= self->accounts.mask; i++) {
        for (struct map_link *link = self->accounts.slots[i]; link; link = link->next) {
            struct limit_account *account = MAP_THING(link, struct limit_account, link);
            account->use.set = set_of(self, text_of(account->name));
            limits_ease(self, account);
        }
    }
    return 0;
}

void **limits_shelf(struct limit_account *account)
{
    return &account->shelf;
}

void limits_each(struct limits *self, void (*visit)(void *, struct limit_account *), void *argument)
{
    for (size_t i = 0; i <= self->accounts.mask; i++) {
        for (struct map_link *link = self->accounts.slots[i]; link; link = link->next)
            visit(argument, MAP_THING(link, struct limit_account, link));
    }
}
