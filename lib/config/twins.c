#include "lib/config/twins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int by_text(const void *a_, const void *b_)
{
    const struct node *a = (*(struct node *const *)a_)->key, *b = (*(struct node *const *)b_)->key;
    size_t shorter = a->text.len < b->text.len ? a->text.len : b->text.len;
    int order = shorter > 0 ? memcmp(a->text.at, b->text.at, shorter) : 0;
    if (order == 0 && a->text.len != b->text.len)
        order = a->text.len < b->text.len ? -1 : 1;
    if (order == 0 && a->mark.line != b->mark.line)
        order = a->mark.line < b->mark.line ? -1 : 1;
    return order != 0 ? order : (a->mark.column > b->mark.column) - (a->mark.column < b->mark.column);
}

int twins_find(const struct node *map, const char *above, struct mistakes *mistakes)
{
    char quoted[MISTAKES_QUOTE_MAX], name[TREE_PATH_MAX + MISTAKES_QUOTE_MAX];
    if (map->count < 2)
        return 0;
    struct node **members = malloc(map->count * sizeof(struct node *));
    if (!members)
        return -ENOMEM;
    uint32_t count = 0;
    for (struct node *member = map->first; member; member = member->next)
        members[count++] = member;
    qsort(members, count, sizeof(struct node *), by_text);
    const struct node *first = members[0];
    for (uint32_t i = 1; i < count; i++) {
        if (!text_equal(members[i]->key->text, first->key->text)) {
            first = members[i];
            continue;
        }
        snprintf(name, sizeof(name), "%s%s%s", above, *above ? "." : "", mistakes_key(first->key->text, quoted));
        mistakes_add(mistakes, members[i]->key->mark, name, "given twice, first in line %u; keep one",
                     first->key->mark.line);
        members[i]->key->unknown = members[i]->unknown = true;
    }
    free(members);
    return 0;
}
