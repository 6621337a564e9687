#include "lib/config/read.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void read_join(char out[READ_KEY_MAX], const char *above, struct text key)
{
    char quoted[MISTAKES_QUOTE_MAX];
    snprintf(out, READ_KEY_MAX, "%s%s%s", above, *above ? "." : "", mistakes_key(key, quoted));
}

bool read_refuse(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 const char *format, ...)
{
    char what[2 * MISTAKES_QUOTE_MAX + 64], allowed[SCHEMA_ALLOWED_MAX];
    if (mistakes_full(self->mistakes)) {
        mistakes_add(self->mistakes, node->mark, shown, "%s", "");
        return false;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    mistakes_add(self->mistakes, node->mark, shown, "%s; allowed: %s", what, schema_allowed(row, allowed));
    return false;
}

bool read_expect(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 enum node_kind kind)
{
    char quoted[MISTAKES_QUOTE_MAX];
    if (node_is_empty(node))
        return read_refuse(self, row, node, shown, "there is no value");
    if (node->kind == kind)
        return true;
    if (node->kind == NODE_LIST)
        return read_refuse(self, row, node, shown, "this is a list");
    if (node->kind == NODE_MAP)
        return read_refuse(self, row, node, shown, "this is a map");
    return read_refuse(self, row, node, shown, "\"%s\" cannot stand here", mistakes_quote(node->written, quoted));
}

/* A section may be empty: everything in it may stand in comments. */
static bool read_map(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                     const struct target *into)
{
    if (node_is_empty(node))
        return true;
    if (!read_expect(self, row, node, shown, NODE_MAP))
        return false;
    read_section(self, node, row->path, shown, into);
    return true;
}

/* A reader for each type that may stand behind a known key. */
static read_fn *const readers[SCHEMA_TYPES] = {
    [SCHEMA_MAP] = read_map,
    [SCHEMA_COUNT] = read_count,
    [SCHEMA_COUNT64] = read_count,
    [SCHEMA_NUMBER] = read_number,
    [SCHEMA_LIMIT] = read_limit,
    [SCHEMA_DURATION] = read_duration,
    [SCHEMA_SIZE] = read_size,
    [SCHEMA_WORD] = read_word,
    [SCHEMA_PATH] = read_path,
    [SCHEMA_BIND] = read_bind,
    [SCHEMA_CONNECT] = read_connect,
    [SCHEMA_CONTROL] = read_control,
    [SCHEMA_LISTEN] = read_listen,
    [SCHEMA_HOSTS] = read_hosts,
    [SCHEMA_CHOICE] = read_choice,
    [SCHEMA_PATTERN] = read_pattern,
    [SCHEMA_PARAMETERS] = read_parameters,
    [SCHEMA_BLOCKS] = read_blocks,
    [SCHEMA_KPIS] = read_kpis,
    [SCHEMA_PROJECTS] = read_projects,
    [SCHEMA_OWN] = read_own,
    [SCHEMA_STRATEGIES] = read_strategies,
    [SCHEMA_ALARMS] = read_alarms,
    [SCHEMA_RATE] = read_rate,
    [SCHEMA_RANGE] = read_range,
    [SCHEMA_DRIFT] = read_drift,
};

/* The same key in another section, where a person may have meant it. */
static const struct schema_row *find_elsewhere(struct text key)
{
    for (uint32_t i = 0; i < schema_row_count; i++)
        if (*schema_key(&schema_rows[i]) != '<' && text_is(key, schema_key(&schema_rows[i])))
            return &schema_rows[i];
    return NULL;
}

static void tell_unknown(struct reader *self, const struct node *key, const char *section, const char *shown)
{
    char known[SCHEMA_ALLOWED_MAX], hint[SCHEMA_ALLOWED_MAX] = "";
    if (mistakes_full(self->mistakes)) {
        mistakes_add(self->mistakes, key->mark, shown, "%s", "");
        return;
    }
    const struct schema_row *elsewhere = find_elsewhere(key->text), *nearest = schema_nearest(section, key->text);
    if (elsewhere)
        snprintf(hint, sizeof(hint), "did you mean %s? ", elsewhere->path);
    else if (nearest)
        snprintf(hint, sizeof(hint), "did you mean %s? ", schema_key(nearest));
    mistakes_add(self->mistakes, key->mark, shown, "unknown key; %sallowed here: %s", hint,
                 schema_keys(section, known));
}

static void read_member(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                        const struct target *into)
{
    bool good = !node->unknown && readers[row->type](self, row, node, shown, into);
    struct key_place place = {.row = row, .mark = node->mark, .bad = !good};
    if (into->keys && record_note(into->keys, &self->box->memory, &place) != 0)
        assert(self->box->memory.failed);
}

/* A section may stand in one file only; blocks of budgets are put one behind the other. */
static bool stands_elsewhere(struct reader *self, const struct schema_row *row, const struct node *key,
                             const struct target *into)
{
    char place[MISTAKES_PLACE_MAX];
    const struct key_place *before = record_find(into->keys, row);
    if (!before || before->mark.file == key->mark.file || row->type == SCHEMA_BLOCKS)
        return false;
    mistakes_add(self->mistakes, key->mark, row->path,
                 "given in %s too; only budgets may stand in more than one file: keep it in one of them",
                 mistakes_place(self->mistakes, before->mark, key->mark, place));
    return true;
}

void read_section(struct reader *self, const struct node *map, const char *section, const char *shown,
                  const struct target *into)
{
    char name[READ_KEY_MAX];
    for (const struct node *node = map->first; node; node = node->next) {
        if (node->key->unknown)
            continue;
        const struct schema_row *row = schema_find(section, node->key->text);
        read_join(name, shown, node->key->text);
        if (!row || *schema_key(row) == '<')
            tell_unknown(self, node->key, section, name);
        else if (*section || !stands_elsewhere(self, row, node->key, into))
            read_member(self, row, node, name, into);
    }
}

void read_root(struct reader *self, const struct node *root)
{
    const struct target file = {.base = &self->box->config, .keys = &self->box->keys};
    char known[SCHEMA_ALLOWED_MAX], quoted[MISTAKES_QUOTE_MAX];
    if (!root || root->unknown || node_is_empty(root))
        return;
    if (root->kind == NODE_MAP) {
        read_section(self, root, "", "", &file);
        return;
    }
    const char *what = root->kind == NODE_LIST ? "a list" : mistakes_quote(root->written, quoted);
    mistakes_add(self->mistakes, root->mark, "YAML", "the file is %s; allowed: a map of %s", what,
                 schema_keys("", known));
}

/* Whether a row's key lies in a section or in a map within it, not in a record of its own. */
static bool belongs(const struct schema_row *row, const char *section)
{
    size_t length = strlen(section);
    if (strncmp(row->path, section, length) != 0 || (length > 0 && row->path[length] != '.'))
        return false;
    return !strpbrk(row->path + length, "[<");
}

/* The rows of a section that have a default: `out` has room for all rows. */
static uint32_t rows_with_default(const char *section, const struct schema_row **out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        if (row->standard && row->offset != SCHEMA_NOWHERE && belongs(row, section))
            out[count++] = row;
    }
    return count;
}

/* Their defaults as one list: a parser of YAML costs far more to make than to use. */
static struct text list_of_defaults(const struct schema_row *const *rows, uint32_t count, struct arena *memory)
{
    size_t room = 1, len = 0;
    for (uint32_t i = 0; i < count; i++)
        room += strlen(rows[i]->standard) + sizeof("- \n");
    char *list = arena_take(memory, room, 1);
    for (uint32_t i = 0; i < count && list; i++)
        len += (size_t)snprintf(list + len, room - len, "- %s\n", rows[i]->standard);
    return (struct text){.at = list, .len = len};
}

void read_defaults(struct reader *self, const char *section, void *base)
{
    const struct target target = {.base = base};
    const struct schema_row **rows = arena_take(self->scratch, schema_row_count, sizeof(*rows));
    uint32_t count = rows ? rows_with_default(section, rows) : 0;
    const struct tree_source source = {.yaml = list_of_defaults(rows, count, self->scratch),
                                       .memory = self->scratch,
                                       .mistakes = self->mistakes,
                                       .expansion = self->expansion};
    struct tree tree;
    if (!rows || !source.yaml.at || tree_parse(&tree, &source) != 0) {
        self->scratch->failed = true;
        return;
    }
    const struct node *node = tree.root ? tree.root->first : NULL;
    assert((tree.root ? tree.root->count : 0) == count);
    for (uint32_t i = 0; i < count; i++, node = node->next)
        readers[rows[i]->type](self, rows[i], node, rows[i]->path, &target);
}
