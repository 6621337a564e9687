/* Readers of texts: paths, endpoints, patterns, names, parameters. */
#include "lib/config/read.h"

#include <errno.h>
#include <stdio.h>

#include "lib/config/endpoint.h"
#include "lib/config/parameters.h"

#define PATH_BYTES_MAX 4095

/* A text that is not empty; copied into the box. NULL where it cannot be. */
static char *keep_text(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown)
{
    if (!read_expect(self, row, node, shown, NODE_SCALAR))
        return NULL;
    if (node->text.len == 0) {
        read_refuse(self, row, node, shown, "the text is empty");
        return NULL;
    }
    return arena_text(&self->box->memory, node->text);
}

bool read_path(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
               const struct target *into)
{
    char *path = keep_text(self, row, node, shown);
    if (!path)
        return false;
    if (node->text.len > PATH_BYTES_MAX)
        return read_refuse(self, row, node, shown, "the path is longer than %d bytes", PATH_BYTES_MAX);
    memcpy(read_field(row, into), &path, sizeof(path));
    return true;
}

bool read_pattern(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                  const struct target *into)
{
    char quoted[MISTAKES_QUOTE_MAX];
    const char *why = NULL;
    char *pattern = keep_text(self, row, node, shown);
    if (!pattern)
        return false;
    if (model_pattern_check(node->text, &why) != 0)
        return read_refuse(self, row, node, shown, "\"%s\": %s", mistakes_quote(node->written, quoted), why);
    memcpy(read_field(row, into), &pattern, sizeof(pattern));
    return true;
}

typedef const char *check_fn(struct text text);

static bool add_endpoint(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                         check_fn *check, struct config_endpoints *into)
{
    char quoted[MISTAKES_QUOTE_MAX];
    if (node->unknown)
        return false;
    char *endpoint = keep_text(self, row, node, shown);
    if (!endpoint)
        return false;
    const char *wrong = check(node->text);
    if (wrong)
        return read_refuse(self, row, node, shown, "\"%s\": %s", mistakes_quote(node->written, quoted), wrong);
    for (uint32_t i = 0; i < into->count; i++)
        if (text_is(node->text, into->at[i]))
            return read_refuse(self, row, node, shown, "\"%s\" stands here twice",
                               mistakes_quote(node->written, quoted));
    into->at[into->count++] = endpoint;
    return true;
}

/* A list of endpoints, or one alone. */
static bool read_endpoints(struct reader *self, const struct schema_row *row, const struct node *node,
                           const char *shown, const struct target *into, check_fn *check)
{
    struct config_endpoints read = {.count = 0};
    bool good = true;
    if (node->kind == NODE_SCALAR) {
        good = add_endpoint(self, row, node, shown, check, &read);
    } else {
        if (!read_expect(self, row, node, shown, NODE_LIST))
            return false;
        if (node->count > CONFIG_ENDPOINTS_MAX)
            return read_refuse(self, row, node, shown, "more than %d of them", CONFIG_ENDPOINTS_MAX);
        for (const struct node *item = node->first; item; item = item->next)
            good &= add_endpoint(self, row, item, shown, check, &read);
    }
    memcpy(read_field(row, into), &read, sizeof(read));
    return good;
}

static const char *check_bind(struct text text)
{
    return endpoint_check(text, ENDPOINT_BIND);
}

static const char *check_connect(struct text text)
{
    return endpoint_check(text, ENDPOINT_CONNECT);
}

static const char *check_control(struct text text)
{
    return endpoint_check(text, ENDPOINT_CONTROL);
}

bool read_bind(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
               const struct target *into)
{
    return read_endpoints(self, row, node, shown, into, check_bind);
}

bool read_connect(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                  const struct target *into)
{
    return read_endpoints(self, row, node, shown, into, check_connect);
}

bool read_control(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                  const struct target *into)
{
    return read_endpoints(self, row, node, shown, into, check_control);
}

bool read_hosts(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                const struct target *into)
{
    return read_endpoints(self, row, node, shown, into, endpoint_name_check);
}

bool read_listen(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 const struct target *into)
{
    char quoted[MISTAKES_QUOTE_MAX];
    char *listen = keep_text(self, row, node, shown);
    if (!listen)
        return false;
    const char *wrong = text_is(node->text, "off") ? NULL : endpoint_listen_check(node->text);
    if (wrong)
        return read_refuse(self, row, node, shown, "\"%s\": %s", mistakes_quote(node->written, quoted), wrong);
    if (text_is(node->text, "off"))
        listen = NULL;
    memcpy(read_field(row, into), &listen, sizeof(listen));
    return true;
}

/* Whether it names a strategy is seen when all strategies are known. */
bool read_choice(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 const struct target *into)
{
    char quoted[MISTAKES_QUOTE_MAX];
    if (!keep_text(self, row, node, shown))
        return false;
    if (node->text.len > STRATEGY_NAME_MAX)
        return read_refuse(self, row, node, shown, "\"%s\" is longer than %d bytes",
                           mistakes_quote(node->written, quoted), STRATEGY_NAME_MAX);
    char *field = read_field(row, into);
    memset(field, 0, STRATEGY_NAME_MAX + 1);
    memcpy(field, node->text.at, node->text.len);
    return true;
}

bool read_parameters(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                     const struct target *into)
{
    if (!node_is_empty(node) && !read_expect(self, row, node, shown, NODE_MAP))
        return false;
    const char *json = NULL;
    int error = parameters_json(node, &self->box->memory, self->mistakes, shown, &json);
    if (error == 0)
        memcpy(read_field(row, into), &json, sizeof(json));
    else if (error == -ENOMEM)
        self->box->memory.failed = true;
    return error == 0;
}
