/* read.h - a tree of nodes, checked against the schema and put where it belongs.
 *
 * Threads: pure functions. Memory: what stays is in the box's arena. Failure: mistakes are told to `mistakes`; lack of
 * memory shows in the arenas.
 */
#ifndef DRIFT_LIB_CONFIG_READ_H
#define DRIFT_LIB_CONFIG_READ_H

#include "lib/config/box.h"
#include "lib/config/mistakes.h"
#include "lib/config/tree.h"

#define READ_KEY_MAX 320 /* bytes of a key as it is shown, with its NUL */

struct reader {
    struct config_box *box;
    struct mistakes *mistakes;
    struct mistakes *notes; /* what is no mistake, and hardly what was meant */
    struct arena *scratch;
    struct expansion *expansion; /* for defaults */
};

/* The record that a key lands in. */
struct target {
    void *base;
    struct record *keys; /* NULL: nobody asks what was set */
    const char *name;    /* of a record that a person named: the metric of a KPI */
};

/* Fills the fields of a section with their defaults. */
void read_defaults(struct reader *self, const char *section, void *base);

/* Reads a whole file. */
void read_root(struct reader *self, const struct node *root);

/* Reads the keys of a map that is a section; `shown` stands for the section in messages. */
void read_section(struct reader *self, const struct node *map, const char *section, const char *shown,
                  const struct target *into);

/* Each type's reader; false where a mistake was told. */
typedef bool read_fn(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                     const struct target *into);
read_fn read_count, read_number, read_limit, read_duration, read_size, read_word; /* read_scalar.c */
read_fn read_path, read_bind, read_connect, read_control, read_listen, read_hosts, read_choice, read_pattern, read_parameters; /* read_text.c */
read_fn read_alarms, read_rate, read_range, read_drift; /* read_drift.c */
read_fn read_blocks, read_kpis, read_projects, read_own, read_strategies; /* read_records.c */

/* What cannot stand here, and what may: returns false. */
bool read_refuse(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Whether the node is a scalar with something in it, a list or a map; tells where it is not. */
bool read_expect(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 enum node_kind kind);

/* Whether a node's text can name a metric; tells where it cannot. */
bool read_metric_name(struct reader *self, const struct node *key, const char *shown);

/* "above.key", cut to READ_KEY_MAX. */
void read_join(char out[READ_KEY_MAX], const char *above, struct text key);

/* Where a field lies. */
static inline void *read_field(const struct schema_row *row, const struct target *into)
{
    return (char *)into->base + row->offset;
}

#endif
