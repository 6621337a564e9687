#include "lib/config/syntax.h"

#include <yaml.h>

#include "lib/config/source.h"

/* libyaml's words where they say enough, ours where they do not. */
static const char *sentence_of(const char *problem)
{
    static const struct {
        const char *problem, *sentence;
    } ours[] = {
        {"mapping values are not allowed in this context",
         "a ':' that no key can have here; indent keys of one map alike, and put quotes around a text that holds ': '"},
        {"found character that cannot start any token",
         "a character that no value can begin with; put quotes around the text"},
        {"did not find expected key", "this is indented unlike the keys above it"},
        {"did not find expected '-' indicator", "this is indented unlike the '-' items above it"},
        {"did not find expected ',' or ']'", "a '[' whose ']' or a ',' is missing"},
        {"did not find expected ',' or '}'", "a '{' whose '}' or a ',' is missing"},
        {"did not find expected node content", "a value is missing"},
        {"could not find expected ':'", "a key without its ':'"},
        {"did not find expected <document start>", "text after the end of the document; a file holds one"},
        {"did not find expected comment or line break", "a text behind '|' or '>' begins on the next line, indented"},
        {"found unknown escape character",
         "a '\\' that begins no escape; write \\\\ for a '\\', or use single quotes"},
        {"found incompatible YAML document", "another version of YAML; remove the line with %YAML"},
    };
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(problem, ours[i].problem) == 0)
            return ours[i].sentence;
    return problem;
}

static bool begins_with(const char *text, const char *prefix)
{
    return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether a line has a tab among the blanks at its beginning; *column_p is its place, from 0. */
static bool tab_before_text(struct text yaml, size_t line, size_t *column_p)
{
    size_t begin = source_line(yaml, (uint32_t)line), at = begin;
    while (at < yaml.len && yaml.at[at] == ' ')
        at++;
    *column_p = at - begin;
    return at < yaml.len && yaml.at[at] == '\t';
}

static bool line_holds(struct text yaml, size_t line, const char *what)
{
    size_t begin = source_line(yaml, (uint32_t)line);
    struct text rest = {.at = yaml.at + begin, .len = yaml.len - begin};
    return memmem(rest.at, source_line(rest, 1), what, strlen(what)) != NULL;
}

struct syntax_mistake syntax_explain(const void *parser_, struct text yaml)
{
    const yaml_parser_t *parser = parser_;
    const char *problem = parser->problem ? parser->problem : "this cannot be read";
    const char *context = parser->context;
    bool in_quotes = begins_with(context, "while scanning a quoted scalar");
    /* Brackets and quotes go on over lines: what counts is where they were opened. */
    bool opened = in_quotes || begins_with(context, "while parsing a flow");
    /* A key that has no ':' is missed where the next line begins. */
    bool is_key = begins_with(context, "while scanning a simple key");
    const yaml_mark_t *mark = opened || is_key ? &parser->context_mark : &parser->problem_mark;
    struct syntax_mistake mistake = {
        .sentence = sentence_of(problem),
        .line = mark->line,
        .column = mark->column,
        /* A mistake at the first column is often that of the line above. */
        .resume = opened || mark->column > 0 ? mark->line + 1 : mark->line,
    };
    size_t tab;
    if (strcmp(problem, "did not find expected <document start>") == 0)
        mistake.resume = UINT32_MAX;
    if (in_quotes && strcmp(problem, "found unexpected end of stream") == 0) {
        mistake.sentence = "a quote that is never closed";
    } else if (opened && !in_quotes && line_holds(yaml, parser->problem_mark.line, "${")) {
        mistake.sentence = "between brackets, \"${NAME}\" stands in quotes";
        mistake.line = parser->problem_mark.line;
        mistake.column = parser->problem_mark.column;
    } else if (!opened && tab_before_text(yaml, mark->line, &tab)) {
        mistake.sentence = "a tab in the indentation; indent with spaces";
        mistake.column = tab;
    }
    return mistake;
}
