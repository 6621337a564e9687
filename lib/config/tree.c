#include "lib/config/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "lib/config/source.h"
#include "lib/config/syntax.h"
#include "lib/config/twins.h"

#define SYNTAX_MISTAKES_MAX 16 /* each costs another reading of what follows */

/* A list or map that is being read. */
struct open {
    struct node *node;
    struct node *key;   /* of the member that is being read; NULL: none */
    bool expects_value; /* the key came, its value did not */
    bool flow;          /* written with brackets */
};

struct builder {
    const struct tree_source *source;
    yaml_parser_t parser;
    struct open open[TREE_DEPTH_MAX];
    uint32_t depth;
    uint32_t first_line; /* of the piece that is read, from 0 */
    uint32_t documents;
    struct node *root;    /* of this piece */
    struct node *last;    /* the scalar that came last */
    size_t last_end_line; /* in this piece, from 0 */
    bool stopped;         /* what follows is not looked at */
};

bool node_is_empty(const struct node *node)
{
    return node->kind == NODE_SCALAR && node->plain &&
           (node->text.len == 0 || text_is(node->text, "~") || text_is(node->text, "null") ||
            text_is(node->text, "Null") || text_is(node->text, "NULL"));
}

static struct mark mark_of(const struct builder *self, const yaml_mark_t *mark)
{
    return (struct mark){.line = self->first_line + (uint32_t)mark->line + 1,
                         .column = (uint32_t)mark->column + 1,
                         .file = self->source->file};
}

/* The keys that lead to where reading stands: "budgets[].models". "YAML" where there are none. */
static const char *path_of(const struct builder *self, char out[TREE_PATH_MAX])
{
    char quoted[MISTAKES_QUOTE_MAX];
    int length = 0;
    *out = '\0';
    for (uint32_t i = 0; i < self->depth && length < TREE_PATH_MAX - MISTAKES_QUOTE_MAX; i++) {
        const struct open *open = &self->open[i];
        if (open->node->kind == NODE_LIST)
            length += snprintf(out + length, (size_t)(TREE_PATH_MAX - length), "[]");
        else if (open->key && open->key->kind == NODE_SCALAR)
            length += snprintf(out + length, (size_t)(TREE_PATH_MAX - length), "%s%s", length > 0 ? "." : "",
                               mistakes_key(open->key->text, quoted));
    }
    return length > 0 ? out : "YAML";
}

static void complain(const struct builder *self, struct mark mark, const char *sentence)
{
    char path[TREE_PATH_MAX];
    mistakes_add(self->source->mistakes, mark, path_of(self, path), "%s", sentence);
}

/* Hangs a finished or opened node where it belongs. */
static void attach(struct builder *self, struct node *node)
{
    if (self->depth == 0) {
        self->root = node;
        return;
    }
    struct open *open = &self->open[self->depth - 1];
    if (open->node->kind == NODE_MAP) {
        if (!open->expects_value) {
            open->key = node;
            open->expects_value = true;
            return;
        }
        open->expects_value = false;
        node->key = open->key;
        if (open->key->kind != NODE_SCALAR)
            return;
    }
    if (open->node->last)
        open->node->last->next = node;
    else
        open->node->first = node;
    open->node->last = node;
    open->node->count++;
}

static bool is_key(const struct builder *self)
{
    return self->depth > 0 && self->open[self->depth - 1].node->kind == NODE_MAP &&
           !self->open[self->depth - 1].expects_value;
}

static struct node *node_new(struct builder *self, enum node_kind kind, const yaml_event_t *event,
                             const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct node *node = arena_take(self->source->memory, 1, sizeof(*node));
    if (!node)
        return NULL;
    node->kind = kind;
    node->mark = mark_of(self, &event->start_mark);
    if (anchor)
        complain(self, node->mark, "an anchor (&); anchors and aliases are not supported, write the value out");
    if (tag)
        complain(self, node->mark, "a tag (!); tags are not supported, a value's kind follows from how it is written");
    if (kind != NODE_SCALAR && is_key(self)) {
        complain(self, node->mark, "a list or a map as a key; a key must be a plain text");
        node->unknown = true;
    }
    return node;
}

static int expand(struct builder *self, struct node *node)
{
    char why[EXPAND_WHY_MAX];
    switch (expand_text(self->source->expansion, node->written, &node->text, why)) {
    case EXPAND_PLAIN:
        break;
    case EXPAND_DONE:
        node->replaced = true;
        break;
    case EXPAND_WRONG:
        complain(self, node->mark, why);
        node->unknown = true;
        break;
    case EXPAND_UNKNOWN:
        node->unknown = true;
        break;
    case EXPAND_NOMEM:
        return -ENOMEM;
    }
    return 0;
}

/* The member whose value was read is no longer where reading stands, unless what was read is a key itself. */
static void value_ended(struct builder *self)
{
    if (self->depth > 0 && !self->open[self->depth - 1].expects_value)
        self->open[self->depth - 1].key = NULL;
}

static int take_scalar(struct builder *self, const yaml_event_t *event)
{
    struct node *node = node_new(self, NODE_SCALAR, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (!node)
        return -ENOMEM;
    struct text text = {.at = (const char *)event->data.scalar.value, .len = event->data.scalar.length};
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->written.at = arena_text(self->source->memory, text);
    node->written.len = text.len;
    node->text = node->written;
    if (!node->written.at)
        return -ENOMEM;
    if (memchr(text.at, '\0', text.len)) {
        complain(self, node->mark, "a NUL character in a text; there is no use for one");
        node->unknown = true;
        node->text.len = node->written.len = strlen(node->written.at);
    }
    if (is_key(self)) {
        if (node->plain && text_is(node->text, "<<")) {
            complain(self, node->mark, "a merge key (<<); merging is not supported, write the keys out");
            node->unknown = true;
        }
    } else if (self->source->expansion && !node->unknown && expand(self, node) != 0) {
        return -ENOMEM;
    }
    self->last = is_key(self) ? NULL : node;
    self->last_end_line = event->end_mark.line;
    attach(self, node);
    value_ended(self);
    return 0;
}

static int take_open(struct builder *self, const yaml_event_t *event)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    struct node *node =
        map ? node_new(self, NODE_MAP, event, event->data.mapping_start.anchor, event->data.mapping_start.tag)
            : node_new(self, NODE_LIST, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    if (!node)
        return -ENOMEM;
    if (self->depth == TREE_DEPTH_MAX) {
        mistakes_add(self->source->mistakes, node->mark, "YAML", "nested deeper than %d; nothing here is read further",
                     TREE_DEPTH_MAX);
        self->stopped = true;
        self->open[0].node->unknown = self->open[0].node->kind != NODE_MAP;
        self->open[1].node->unknown = true;
        return 0;
    }
    attach(self, node);
    self->open[self->depth++] = (struct open){
        .node = node,
        .flow = map ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                    : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE,
    };
    return 0;
}

static int take_close(struct builder *self)
{
    const struct node *node = self->open[--self->depth].node;
    char path[TREE_PATH_MAX];
    /* The outermost map may go on in another piece of the file: its twins are found when all is read. */
    int error = node->kind == NODE_MAP && self->depth > 0 ? twins_find(node, path_of(self, path), self->source->mistakes)
                                                           : 0;
    value_ended(self);
    return error;
}

static int take_alias(struct builder *self, const yaml_event_t *event)
{
    struct node *node = node_new(self, NODE_SCALAR, event, NULL, NULL);
    if (!node)
        return -ENOMEM;
    complain(self, node->mark,
             "an alias (*); anchors and aliases are not supported, write the value out, and put quotes "
             "around a text that begins with '*'");
    node->text = node->written = text_of("*");
    node->unknown = true;
    attach(self, node);
    value_ended(self);
    return 0;
}

static int take(struct builder *self, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (self->documents++ > 0) {
            complain(self, mark_of(self, &event->start_mark), "a second document; a file holds one");
            self->stopped = true;
        }
        return 0;
    case YAML_ALIAS_EVENT:
        return take_alias(self, event);
    case YAML_SCALAR_EVENT:
        return take_scalar(self, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return take_open(self, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return take_close(self);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return 0;
}

/* Tells of a mistake of syntax. Returns the line of the piece, from 0, from which on reading may make sense again. */
static size_t tell_syntax(struct builder *self, struct text piece)
{
    struct syntax_mistake mistake = syntax_explain(&self->parser, piece);
    yaml_mark_t at = {.line = mistake.line, .column = mistake.column};
    complain(self, mark_of(self, &at), mistake.sentence);
    /* What was read of the place of the mistake itself means little. */
    for (uint32_t i = 0; i < self->depth; i++) {
        if (!self->open[i].flow)
            continue;
        self->open[i].node->unknown = true;
        break;
    }
    if (self->last && self->last_end_line >= mistake.line)
        self->last->unknown = true;
    return mistake.resume;
}

/* Reads events until the end or the first mistake of syntax. Returns 0, 1 where *resume_p says from which line of the
 * piece reading may go on, or -ENOMEM. */
static int read_events(struct builder *self, struct text piece, size_t *resume_p)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&self->parser, &event)) {
            if (self->parser.error == YAML_MEMORY_ERROR)
                return -ENOMEM;
            *resume_p = tell_syntax(self, piece);
            return 1;
        }
        bool end = event.type == YAML_STREAM_END_EVENT;
        int error = take(self, &event);
        yaml_event_delete(&event);
        if (error != 0 || end || self->stopped)
            return error;
    }
}

static int read_piece(struct builder *self, struct text piece, size_t *resume_p)
{
    self->depth = self->documents = 0;
    self->root = self->last = NULL;
    if (!yaml_parser_initialize(&self->parser))
        return -ENOMEM;
    yaml_parser_set_encoding(&self->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&self->parser, (const unsigned char *)piece.at, piece.len);
    int result = read_events(self, piece, resume_p);
    yaml_parser_delete(&self->parser);
    /* Maps that a mistake left open. */
    while (result >= 0 && self->depth > 0)
        if (take_close(self) != 0)
            result = -ENOMEM;
    return result;
}

/* Joins the members of another piece to the outermost map. */
static void join(struct tree *tree, struct node *root)
{
    if (!tree->root || !root || tree->root->kind != NODE_MAP || root->kind != NODE_MAP) {
        tree->root = tree->root ? tree->root : root;
        return;
    }
    if (!root->first)
        return;
    if (tree->root->last)
        tree->root->last->next = root->first;
    else
        tree->root->first = root->first;
    tree->root->last = root->last;
    tree->root->count += root->count;
}

/* Finds, from `line` on, a line that begins a section. False: there is none. */
static bool find_section(const struct tree_source *source, struct text yaml, size_t *line_p)
{
    size_t at = source_line(yaml, (uint32_t)*line_p);
    while (source->begins_section && at < yaml.len) {
        struct text rest = {.at = yaml.at + at, .len = yaml.len - at};
        const char *colon = memchr(rest.at, ':', rest.len < 64 ? rest.len : 64);
        if (colon && source->begins_section((struct text){.at = rest.at, .len = (size_t)(colon - rest.at)}))
            return true;
        at += source_line(rest, 1);
        ++*line_p;
    }
    return false;
}

int tree_parse(struct tree *out, const struct tree_source *source)
{
    struct text piece = source->yaml;
    struct builder builder = {.source = source};
    *out = (struct tree){0};
    for (int syntax_mistakes = 1;; syntax_mistakes++) {
        size_t line = 0;
        int result = read_piece(&builder, piece, &line);
        if (result < 0)
            return result;
        join(out, builder.root);
        out->broken |= result > 0 || builder.stopped;
        if (result == 0 || builder.stopped || syntax_mistakes == SYNTAX_MISTAKES_MAX)
            break;
        line = line > 0 ? line : 1;
        if (!find_section(source, piece, &line))
            break;
        size_t skip = source_line(piece, (uint32_t)line);
        piece = (struct text){.at = piece.at + skip, .len = piece.len - skip};
        builder.first_line += (uint32_t)line;
    }
    return out->root && out->root->kind == NODE_MAP ? twins_find(out->root, "", source->mistakes) : 0;
}
