/* explain_case.h - what the tests of explanations share: one of MODEL, and what it says. */
#ifndef TESTS_EXPLAIN_CASE_H
#define TESTS_EXPLAIN_CASE_H

#include <jansson.h>

#include "check_config.h"
#include "lib/config/explained.h"

#define MODEL "shop/detector/v1"

/* The explanation of MODEL, with or without a monitor. */
static inline json_t *explain(struct config *config, const struct monitor *monitor)
{
    struct model_id id;
    struct explain gathered;
    char *live = monitor ? explain_live_json(monitor) : NULL;
    ck_assert_int_eq(model_id_parse(&id, text_of(MODEL)), 0);
    ck_assert_int_eq(config_explain(config, &id, text_of(live ? live : ""), &gathered), 0);
    char *text = explain_json(&gathered);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    free(text);
    free(live);
    explain_clear(&gathered);
    return json;
}

static inline const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static inline const json_t *rule_named(const json_t *json, const char *name)
{
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(json, "rules"), i, rule)
        if (strcmp(text_at(rule, "rule"), name) == 0)
            return rule;
    ck_abort_msg("no rule %s", name);
    return NULL;
}

static inline const char *says(const json_t *json, const char *rule, const char *about)
{
    size_t i;
    json_t *saying;
    json_array_foreach(json_object_get(rule_named(json, rule), "says"), i, saying)
        if (strcmp(text_at(saying, "about"), about) == 0)
            return text_at(saying, "text");
    return "";
}

static inline void holds(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in: %s", part, text);
}

#endif
