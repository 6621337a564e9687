#include "cli/endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/member.h"
#include "cli/say.h"

/* A socket that is bound to every address of the machine is reached at its own. */
static char *reachable(const char *bound)
{
    static const char any[] = "tcp://0.0.0.0:";
    bool everywhere = strncmp(bound, any, sizeof any - 1) == 0;
    char *out;
    if (asprintf(&out, "%s%s", everywhere ? "tcp://127.0.0.1:" : "", bound + (everywhere ? sizeof any - 1 : 0)) < 0)
        must(NULL);
    return out;
}

static int take(struct endpoint *endpoints, size_t count, const json_t *status, const char *role, bool keys)
{
    if (!keys && text_is(member_text(json_object_get(status, "security"), "curve"), "on")) {
        say("this daemon asks for keys: --server-key and --cert are needed, of a client whose role is %s", role);
        return EX_USAGE;
    }
    const json_t *all = json_object_get(status, "endpoints");
    for (size_t i = 0; i < count; i++) {
        struct endpoint *one = &endpoints[i];
        const char *bound = json_string_value(json_array_get(json_object_get(all, one->name), 0));
        if (one->at)
            continue;
        if (!bound) {
            say("driftd has no %s socket: set %s.bind in its configuration", one->name, one->name);
            return EX_UNAVAILABLE;
        }
        one->at = one->found = reachable(bound);
    }
    return 0;
}

int endpoints_find(struct endpoint *endpoints, size_t count, const struct common *common, const char *role, bool keys)
{
    bool all_given = true, need = common->socket != NULL;
    for (size_t i = 0; i < count; i++) {
        all_given = all_given && endpoints[i].at;
        need = need || !endpoints[i].fallback;
    }
    if (all_given)
        return 0;
    json_t *status = NULL;
    int error = need || control_is_there() ? control_get(common, must(json_pack("{s:s}", "do", "status")), &status) : 0;
    if (status)
        error = take(endpoints, count, status, role, keys);
    else if (!need)
        error = 0;
    for (size_t i = 0; !status && !need && i < count; i++) {
        if (!endpoints[i].at)
            endpoints[i].at = endpoints[i].fallback;
    }
    json_decref(status);
    if (error)
        endpoints_free(endpoints, count);
    return error;
}

void endpoints_free(struct endpoint *endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(endpoints[i].found);
        endpoints[i].found = NULL;
    }
}
