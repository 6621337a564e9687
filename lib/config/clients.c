#include "lib/config/clients.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/config/file.h"
#include "lib/config/source.h"
#include "lib/config/tree.h"

struct box {
    struct config_clients clients; /* first */
    struct arena memory;
};

struct reading {
    struct box *box;
    struct mistakes *mistakes;
    const struct config_projects *own;
    struct config_client *at;
    struct mark *marks; /* where each stands */
};

static const char *const roles[CONFIG_ROLES] = {
    [CONFIG_ROLE_NODE] = "node", [CONFIG_ROLE_TRAINER] = "trainer", [CONFIG_ROLE_OBSERVER] = "observer"};

bool config_client_key_valid(struct text key)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    if (key.len != CONFIG_CLIENT_KEY_LEN)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < key.len; i++) {
        const char *digit = key.at[i] ? strchr(digits, key.at[i]) : NULL;
        if (!digit)
            return false;
        value = value * 85 + (uint64_t)(digit - digits);
        if (i % 5 < 4)
            continue;
        if (value > UINT32_MAX)
            return false;
        value = 0;
    }
    return true;
}

static bool is_text(struct reading *self, const struct node *node, const char *key)
{
    if (node->kind == NODE_SCALAR && !node_is_empty(node))
        return true;
    if (!node->unknown)
        mistakes_add(self->mistakes, node->mark, key, "this is no text; allowed: a text");
    return false;
}

static void read_key(struct reading *self, const struct node *node, struct config_client *out)
{
    if (!is_text(self, node, "key"))
        return;
    if (!config_client_key_valid(node->text)) {
        mistakes_add(self->mistakes, node->mark, "key",
                     "no public key; allowed: the 40 characters that `driftc keygen` prints, in quotes");
        return;
    }
    out->key = arena_text(&self->box->memory, node->text);
}

static void read_name(struct reading *self, const struct node *node, struct config_client *out)
{
    if (!is_text(self, node, "name"))
        return;
    bool good = node->text.len <= CONFIG_CLIENT_NAME_MAX;
    for (size_t i = 0; i < node->text.len; i++)
        good = good && (unsigned char)node->text.at[i] >= 0x20 && node->text.at[i] != 0x7f;
    if (good)
        out->name = arena_text(&self->box->memory, node->text);
    else
        mistakes_add(self->mistakes, node->mark, "name",
                     "too long, or with a control character; allowed: up to %d bytes without control characters",
                     CONFIG_CLIENT_NAME_MAX);
}

static void read_role(struct reading *self, const struct node *node, struct config_client *out)
{
    if (!is_text(self, node, "role"))
        return;
    for (int i = 0; i < CONFIG_ROLES; i++) {
        if (text_is(node->text, roles[i])) {
            out->role = (enum config_role)i;
            return;
        }
    }
    char quoted[MISTAKES_QUOTE_MAX];
    mistakes_add(self->mistakes, node->mark, "role", "\"%s\" is no role; allowed: node, trainer, observer",
                 mistakes_quote(node->written, quoted));
}

static bool is_project(struct text text)
{
    if (text.len < 1 || text.len > MODEL_ID_SEGMENT_MAX || text.at[0] == ' ' || text.at[text.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == 0x7f || strchr("/*?[", c))
            return false;
    }
    return true;
}

static void read_projects_of(struct reading *self, const struct node *node, struct config_client *out)
{
    if (node->kind != NODE_LIST || node->count == 0 || node->count > CONFIG_CLIENT_PROJECTS_MAX) {
        mistakes_add(self->mistakes, node->mark, "projects",
                     "no list of projects; allowed: a list of 1 to %d projects, or [\"*\"] for all", CONFIG_CLIENT_PROJECTS_MAX);
        return;
    }
    const char **projects = arena_take(&self->box->memory, node->count, sizeof *projects);
    uint32_t count = 0;
    for (const struct node *item = node->first; item && projects; item = item->next) {
        bool all = item->kind == NODE_SCALAR && text_is(item->text, "*");
        if (all && node->count == 1)
            return;
        if (item->kind != NODE_SCALAR || !is_project(item->text)) {
            mistakes_add(self->mistakes, item->mark, "projects",
                         all ? "\"*\" stands for all projects; allowed: \"*\" alone, or names alone"
                             : "no project; allowed: a name without '/', '*', '?', '[' and control characters, or \"*\"");
            return;
        }
        projects[count++] = arena_text(&self->box->memory, item->text);
    }
    /* A list with a mistake in it limits to nothing here: nobody is let in by a file that has mistakes. */
    out->projects = projects;
    out->project_count = count;
}

static const struct config_endpoints *own_endpoints(const struct reading *self, const struct config_client *client,
                                                    const char *project)
{
    for (uint32_t i = 0; i < self->own->count; i++) {
        const struct config_project *own = &self->own->at[i];
        if (strcmp(own->project, project) == 0)
            return client->role == CONFIG_ROLE_TRAINER ? &own->jobs : &own->events;
    }
    return NULL;
}

/* A PUSH or PUB socket cannot choose its peers: only one that serves a single project can be limited to it. */
static void check_own(struct reading *self, const struct node *node, const struct config_client *client)
{
    const bool trains = client->role == CONFIG_ROLE_TRAINER;
    const char *key = trains ? "jobs" : "events";
    char quoted[MISTAKES_QUOTE_MAX];
    for (uint32_t i = 0; client->role != CONFIG_ROLE_NODE && i < client->project_count; i++) {
        const struct config_endpoints *own = own_endpoints(self, client, client->projects[i]);
        if (own && own->count > 0)
            continue;
        mistakes_quote(text_of(client->projects[i]), quoted);
        mistakes_add(self->mistakes, node->mark, "projects",
                     "a key with the role %s cannot be limited to projects: %s, unless every project that it names has "
                     "%s endpoints of its own, and %s has none; allowed: [\"*\"], or in the configuration projects: "
                     "{\"%s\": {%s: tcp://host:port}}",
                     roles[client->role],
                     trains ? "a job goes to whichever trainer is free" : "an observer hears whatever it subscribes to",
                     key, quoted, quoted, key);
        return;
    }
}

/* What the keys say together. */
static void check(struct reading *self, const struct node *node, const struct config_client *client, unsigned said)
{
    static const char *const names[] = {"key", "name", "role"};
    for (int i = 0; i < 3; i++) {
        if (!(said & 1u << i))
            mistakes_add(self->mistakes, node->mark, names[i], "missing; allowed: {key, name, role, projects}");
    }
    check_own(self, node, client);
}

static void read_client(struct reading *self, const struct node *node)
{
    typedef void read_fn(struct reading *self, const struct node *node, struct config_client *out);
    static const struct {
        const char *key;
        read_fn *read;
    } keys[] = {{"key", read_key}, {"name", read_name}, {"role", read_role}, {"projects", read_projects_of}};
    self->marks[self->box->clients.count] = node->mark;
    struct config_client *client = &self->at[self->box->clients.count++];
    unsigned said = 0;
    char shown[MISTAKES_QUOTE_MAX];
    if (node->unknown)
        return;
    if (node->kind != NODE_MAP) {
        mistakes_add(self->mistakes, node->mark, "clients",
                     "an item that is no map; allowed: a list of {key, name, role, projects}");
        return;
    }
    for (const struct node *member = node->first; member; member = member->next) {
        size_t i = 0;
        while (i < sizeof keys / sizeof *keys && !text_is(member->key->text, keys[i].key))
            i++;
        said |= 1u << i;
        if (member->unknown || member->key->unknown)
            continue; /* told already: a key that is given twice would be read into the same place */
        if (i < sizeof keys / sizeof *keys)
            keys[i].read(self, member, client);
        else
            mistakes_add(self->mistakes, member->key->mark, mistakes_key(member->key->text, shown),
                         "unknown key; allowed here: key, name, role, projects");
    }
    check(self, node, client, said);
}

static int compare(const void *a, const void *b)
{
    const struct config_client *const *left = a, *const *right = b;
    int order = strcmp((*left)->key, (*right)->key);
    return order != 0 ? order : (*left > *right) - (*left < *right);
}

/* One key, one client: which of two would hold could not be said. */
static void check_twice(struct reading *self, struct arena *scratch)
{
    uint32_t count = self->box->clients.count;
    const struct config_client **sorted = arena_take(scratch, count + 1, sizeof *sorted);
    if (!sorted)
        return;
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &self->at[i];
    qsort(sorted, count, sizeof *sorted, compare);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0)
            continue;
        mistakes_add(self->mistakes, self->marks[sorted[i] - self->at], "key",
                     "%s has the key of %s in line %u; allowed: a key for each", sorted[i]->name, sorted[i - 1]->name,
                     self->marks[sorted[i - 1] - self->at].line);
    }
}

static int fill(struct box *box, struct text yaml, const struct config_projects *own, struct arena *scratch,
                struct mistakes *mistakes)
{
    const struct tree_source source = {.yaml = source_without_mark(yaml), .memory = scratch, .mistakes = mistakes};
    struct tree tree = {0};
    struct mark mark;
    const char *wrong = source_check(source.yaml, &mark);
    if (wrong) {
        mistakes_add(mistakes, mark, "YAML", "%s", wrong);
        return -EINVAL;
    }
    if (tree_parse(&tree, &source) != 0)
        return -ENOMEM;
    if (!tree.root || tree.root->unknown || node_is_empty(tree.root))
        return mistakes->count ? -EINVAL : 0; /* nobody may speak */
    if (tree.root->kind != NODE_LIST || tree.root->count > CONFIG_CLIENTS_MAX) {
        mistakes_add(mistakes, tree.root->mark, "clients",
                     "no list, or one that is too long; allowed: a list of {key, name, role, projects}, %d at most",
                     CONFIG_CLIENTS_MAX);
        return -EINVAL;
    }
    struct reading reading = {.box = box, .mistakes = mistakes, .own = own};
    reading.at = arena_take(&box->memory, tree.root->count + 1, sizeof *reading.at);
    reading.marks = arena_take(scratch, tree.root->count + 1, sizeof *reading.marks);
    if (!reading.at || !reading.marks)
        return -ENOMEM;
    box->clients.at = reading.at;
    for (const struct node *item = tree.root->first; item; item = item->next)
        read_client(&reading, item);
    if (!mistakes->count && !box->memory.failed)
        check_twice(&reading, scratch);
    return mistakes->count ? -EINVAL : 0;
}

int config_clients_parse(struct config_clients **self_p, const char *name, struct text yaml,
                         const struct config_projects *own, config_error_fn *error, void *argument)
{
    struct arena scratch = {0};
    struct mistakes mistakes = {.files = &name, .memory = &scratch};
    struct box *box = calloc(1, sizeof *box);
    *self_p = NULL;
    int rc = box ? fill(box, yaml, own, &scratch, &mistakes) : -ENOMEM;
    if (scratch.failed || (box && box->memory.failed))
        rc = -ENOMEM;
    if (rc == -ENOMEM)
        mistakes_add(&mistakes, (struct mark){0}, "", "cannot be read: memory is short");
    struct config_clients *clients = box ? &box->clients : NULL;
    if (rc < 0) {
        mistakes_tell(&mistakes, error, argument);
        config_clients_destroy(&clients);
    }
    *self_p = clients;
    arena_free(&scratch);
    return rc;
}

int config_clients_load(struct config_clients **self_p, const char *path, const struct config_projects *own,
                        config_error_fn *error, void *argument)
{
    struct arena memory = {0};
    struct text yaml = {0};
    *self_p = NULL;
    int rc = file_read(&yaml, path, true, &memory);
    if (rc == 0) {
        rc = config_clients_parse(self_p, path, yaml, own, error, argument);
    } else {
        struct mistakes mistakes = {.files = &path, .memory = &memory};
        mistakes_add(&mistakes, (struct mark){0}, "", "cannot be read: %s", strerror(-rc));
        mistakes_tell(&mistakes, error, argument);
    }
    arena_free(&memory);
    return rc;
}

void config_clients_destroy(struct config_clients **self_p)
{
    struct box *box = (struct box *)*self_p;
    *self_p = NULL;
    if (!box)
        return;
    arena_free(&box->memory);
    free(box);
}
