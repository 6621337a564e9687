#include "cli/own_name.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/visible.h"

const char *own_name_take(char *name, const char *value)
{
    char *visible = visible_of(text_of(value));
    bool fine = *value && strlen(value) <= OWN_NAME_MAX && strcmp(visible, value) == 0;
    free(visible);
    if (!fine)
        return "1 to 128 bytes without control characters";
    memcpy(name, value, strlen(value) + 1);
    return NULL;
}

const char *own_name_host(void)
{
    static char host[OWN_NAME_MAX - 16];
    return gethostname(host, sizeof host - 1) == 0 && *host ? host : "localhost";
}
