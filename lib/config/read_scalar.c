/* Readers of numbers, amounts and words. */
#include "lib/config/read.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "lib/config/scalar.h"

_Static_assert(sizeof(enum window_stat) == sizeof(int32_t) && sizeof(enum config_feedback) == sizeof(int32_t),
               "a word lands as four bytes");

/* Whether the text is one of the row's words. */
static bool find_word(const struct schema_row *row, const struct node *node, int32_t *value_p)
{
    for (const struct schema_word *word = row->words; word && word->word; word++) {
        if (!text_is(node->text, word->word))
            continue;
        *value_p = word->value;
        return true;
    }
    return false;
}

/* Begins the reading of a number: false where the node cannot be one. */
static bool expect_number(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown)
{
    char quoted[MISTAKES_QUOTE_MAX];
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return false;
    /* Between brackets YAML wants quotes around ${NAME}: they do not make a text of it. */
    return node->plain || node->replaced ||
           read_refuse(self, row, node, shown, "\"%s\" is a text, because it stands in quotes",
                       mistakes_quote(node->written, quoted));
}

static bool refuse_number(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                          int error, const char *kind)
{
    char quoted[MISTAKES_QUOTE_MAX];
    mistakes_quote(node->written, quoted);
    if (error == -EDOM)
        return read_refuse(self, row, node, shown, "%s has no unit", quoted);
    if (error == -ERANGE)
        return read_refuse(self, row, node, shown, "%s is too large or too fine to be held", quoted);
    return read_refuse(self, row, node, shown, "\"%s\" is no %s", quoted, kind);
}

static bool out_of_range(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown)
{
    char quoted[MISTAKES_QUOTE_MAX];
    return read_refuse(self, row, node, shown, "%s is out of range", mistakes_quote(node->written, quoted));
}

static uint64_t whole_of(const char *written)
{
    uint64_t value = 0;
    bool negative = false;
    int error = scalar_whole(text_of(written), &value, &negative);
    assert(error == 0 && !negative);
    (void)error;
    return value;
}

bool read_count(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                const struct target *into)
{
    int32_t word = 0;
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return false;
    if (find_word(row, node, &word)) {
        memcpy(read_field(row, into), &word, sizeof(word));
        return true;
    }
    uint64_t value = 0;
    bool negative = false;
    if (!expect_number(self, row, node, shown))
        return false;
    int error = scalar_whole(node->text, &value, &negative);
    if (error == -EINVAL)
        return refuse_number(self, row, node, shown, error, "whole number");
    if (error != 0 || negative || value < whole_of(row->least) || value > whole_of(row->most))
        return out_of_range(self, row, node, shown);
    uint32_t narrow = (uint32_t)value;
    if (row->type == SCHEMA_COUNT64)
        memcpy(read_field(row, into), &value, sizeof(value));
    else
        memcpy(read_field(row, into), &narrow, sizeof(narrow));
    return true;
}

static double number_of(const char *written, double otherwise)
{
    double value = otherwise;
    int error = written ? scalar_number(text_of(written), &value) : 0;
    assert(error == 0);
    (void)error;
    return value;
}

bool read_number(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 const struct target *into)
{
    int32_t word = 0;
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return false;
    const bool is_word = find_word(row, node, &word);
    double value = word;
    if (!is_word && !expect_number(self, row, node, shown))
        return false;
    if (!is_word) {
        int error = scalar_number(node->text, &value);
        if (error != 0)
            return refuse_number(self, row, node, shown, error, "number");
        if (value < number_of(row->least, -INFINITY) || value > number_of(row->most, INFINITY))
            return out_of_range(self, row, node, shown);
    }
    memcpy(read_field(row, into), &value, sizeof(value));
    return true;
}

/* A KPI's limit: its range is that of the metric it is of. */
bool read_limit(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                const struct target *into)
{
    double least, most;
    char written[2][32] = {"", ""};
    struct schema_row of_metric = *row;
    schema_metric_range(text_of(into->name), &least, &most);
    if (isfinite(least)) {
        snprintf(written[0], sizeof(written[0]), "%g", least);
        of_metric.least = written[0];
    }
    if (isfinite(most)) {
        snprintf(written[1], sizeof(written[1]), "%g", most);
        of_metric.most = written[1];
    }
    double value = 0;
    if (!expect_number(self, &of_metric, node, shown))
        return false;
    int error = scalar_number(node->text, &value);
    if (error != 0)
        return refuse_number(self, &of_metric, node, shown, error, "number");
    if (value < least || value > most)
        return out_of_range(self, &of_metric, node, shown);
    memcpy(read_field(row, into), &value, sizeof(value));
    return true;
}

bool read_duration(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                   const struct target *into)
{
    int64_t value = 0, least = 0, most = 0;
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return false;
    int error = scalar_duration(node->text, &value);
    if (error != 0)
        return refuse_number(self, row, node, shown, error, "duration");
    error = scalar_duration(text_of(row->least), &least) | scalar_duration(text_of(row->most), &most);
    assert(error == 0);
    if (value < least || value > most)
        return out_of_range(self, row, node, shown);
    memcpy(read_field(row, into), &value, sizeof(value));
    return true;
}

bool read_size(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
               const struct target *into)
{
    uint64_t value = 0, least = 0, most = 0;
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return false;
    int error = scalar_size(node->text, &value);
    if (error != 0)
        return refuse_number(self, row, node, shown, error, "size");
    error = scalar_size(text_of(row->least), &least) | scalar_size(text_of(row->most), &most);
    assert(error == 0);
    if (value < least || value > most)
        return out_of_range(self, row, node, shown);
    memcpy(read_field(row, into), &value, sizeof(value));
    return true;
}

bool read_word(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
               const struct target *into)
{
    char quoted[MISTAKES_QUOTE_MAX];
    int32_t value = 0;
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return false;
    if (!find_word(row, node, &value))
        return read_refuse(self, row, node, shown, "\"%s\" cannot stand here", mistakes_quote(node->written, quoted));
    if (row->offset != SCHEMA_NOWHERE)
        memcpy(read_field(row, into), &value, sizeof(value));
    return true;
}
