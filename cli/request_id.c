#include "cli/request_id.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/member.h"
#include "cli/say.h"

#define WHOLE 32 /* characters of an id */
#define SHOWN 12
#define LEAST 4     /* of a beginning */
#define MOST 100000 /* requests looked through, the newest */

struct text request_id_shown(struct text id)
{
    if (isatty(STDOUT_FILENO) && id.len >= WHOLE && strspn(id.at, "0123456789abcdef") >= SHOWN)
        id.len = SHOWN;
    return id;
}

static bool begins(struct text id, const char *word)
{
    return id.len >= strlen(word) && memcmp(id.at, word, strlen(word)) == 0;
}

/* Looks through a list; 0, or a status that is said. */
static int find_among(const json_t *requests, const char *word, char **id_p)
{
    const json_t *request;
    size_t index;
    struct text found = {0};
    json_array_foreach(requests, index, request)
    {
        struct text id = member_text(request, "id");
        if (!begins(id, word))
            continue;
        if (text_is(id, word)) { /* a whole one that is shorter than others */
            found = id;
            break;
        }
        if (found.len) {
            say("several requests begin with '%s': %.*s and %.*s", word, (int)found.len, found.at, (int)id.len, id.at);
            return EX_USAGE;
        }
        found = id;
    }
    if (!found.len) {
        say("no request begins with '%s' (driftc requests)", word);
        return EXIT_REFUSED;
    }
    *id_p = must(strndup(found.at, found.len));
    return 0;
}

int request_id_find(const struct common *common, const char *word, char **id_p)
{
    json_t *answer;
    json_t *text = json_string(word);
    json_decref(text);
    if (strlen(word) < LEAST || !text) {
        say("'%s' is no request; a request is its id, or at least %d characters of its beginning", word, LEAST);
        return EX_USAGE;
    }
    if (strlen(word) >= WHOLE) {
        *id_p = must(strdup(word));
        return 0;
    }
    int status = control_get(common, must(json_pack("{s:s, s:i}", "do", "requests", "most", MOST)), &answer);
    if (status)
        return status;
    status = find_among(json_object_get(answer, "requests"), word, id_p);
    json_decref(answer);
    return status;
}
