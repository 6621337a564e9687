/* tree.h - YAML as a tree of nodes that know where they stand.
 *
 * Read from libyaml's events, never through its document loader, whose time grows with the square of the nesting.
 * Refused, each with a mistake of its own: nesting over TREE_DEPTH_MAX (at once), a second document, anchors and
 * aliases (so nothing can multiply), tags, merge keys, keys that are no text, the same key twice in a map, NUL
 * characters. Variables are replaced in the scalar values. After a mistake of syntax reading goes on with the next
 * section, so that one slip does not hide all that follows it.
 *
 * Threads: pure functions. Memory: nodes live in the arena. Failure: mistakes are told to `mistakes`; -ENOMEM.
 */
#ifndef DRIFT_LIB_CONFIG_TREE_H
#define DRIFT_LIB_CONFIG_TREE_H

#include "lib/config/arena.h"
#include "lib/config/expand.h"
#include "lib/config/mistakes.h"

#define TREE_DEPTH_MAX 64
#define TREE_PATH_MAX 320 /* bytes of the keys that lead to a node, as mistakes name them */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool plain;    /* a scalar without quotes */
    bool replaced; /* a scalar that held variables */
    bool unknown;  /* its value cannot be known, or was told to be wrong already: nothing more is said about it */
    struct mark mark;
    struct text text;    /* of a scalar, variables replaced; a NUL stands behind it, none within */
    struct text written; /* the same as it stands in the file: fit to be shown, it holds no secret of the environment */
    struct node *key;    /* of a map's member: a scalar */
    struct node *first, *last, *next;
    uint32_t count; /* members or items */
};

struct tree {
    struct node *root; /* NULL: nothing but comments */
    bool broken;       /* there was a mistake of syntax: the tree lacks something */
};

struct tree_source {
    struct text yaml;
    struct arena *memory;
    struct mistakes *mistakes;
    struct expansion *expansion;             /* NULL: texts are taken as they stand */
    uint32_t file;                           /* index, for marks */
    bool (*begins_section)(struct text key); /* where reading may go on; NULL: nowhere */
};

/* Returns 0, also where there were mistakes, or -ENOMEM. */
int tree_parse(struct tree *out, const struct tree_source *source);

/* A plain scalar without text, `null` or `~`: what a key has that was given no value. */
bool node_is_empty(const struct node *node);

#endif
