/* Files that only their owner may read, or change. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/security/security.h"

#define KEY_FILE_MAX 4096

static int refuse(char why[CURVE_WHY_MAX], int error, const char *path, const char *sentence)
{
    snprintf(why, CURVE_WHY_MAX, "%.120s: %s", path, sentence);
    return error;
}

/* Whether the service manager handed the file over. */
static bool is_credential(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t len = folder ? strlen(folder) : 0;
    return len > 0 && strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* A credential belongs to this user, or to root and is opened by an access control list, which stat(2) shows as the
 * group's right to read. */
static bool is_closed(const char *path, const struct stat *st)
{
    return !(st->st_mode & 0077) || (is_credential(path) && st->st_uid == 0 && (st->st_mode & 0337) == 0);
}

static int check_owner(const char *path, const struct stat *st, char why[CURVE_WHY_MAX])
{
    if (!S_ISREG(st->st_mode))
        return refuse(why, -EINVAL, path, "is no regular file; allowed: one that is");
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return refuse(why, -EPERM, path, "belongs to somebody else; allowed: a file of this user or of root");
    return 0;
}

/* The value of `name = "value"` in a line of a certificate; false: it is another line. */
static bool value_of(const char *line, const char *name, char out[CURVE_KEY_LEN + 1])
{
    line += strspn(line, " \t");
    if (strncmp(line, name, strlen(name)) != 0)
        return false;
    line += strlen(name);
    line += strspn(line, " \t");
    if (*line != '=')
        return false;
    line += 1 + strspn(line + 1, " \t\"");
    size_t len = strcspn(line, "\"\r\n \t");
    if (len != CURVE_KEY_LEN)
        return false;
    memcpy(out, line, len);
    out[len] = '\0';
    return true;
}

static bool find_secret(char *text, char out[CURVE_KEY_LEN + 1])
{
    char *rest = NULL;
    size_t lead = strspn(text, " \t\r\n"), len = strcspn(text + lead, " \t\r\n");
    if (len == CURVE_KEY_LEN && text[lead + len + strspn(text + lead + len, " \t\r\n")] == '\0') {
        memcpy(out, text + lead, len);
        out[len] = '\0';
        return true;
    }
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (value_of(line, "secret-key", out))
            return true;
    }
    return false;
}

static const char no_key[] =
    "holds no secret key of CURVE; allowed: what `driftc keygen` writes, or its 40 characters alone";
/* Where the file is missing, the unit hands over a word instead: a start without CURVE needs no key. */
static const char no_credential[] =
    "the service manager handed over no secret key; allowed: what `driftc keygen server --server --file "
    "/etc/driftd/curve.secret` writes";

static int read_secret(struct curve_server *out, int fd, const char *path, char why[CURVE_WHY_MAX])
{
    char text[KEY_FILE_MAX + 1];
    uint8_t bytes[32];
    ssize_t len = read(fd, text, KEY_FILE_MAX);
    int rc = 0;
    if (len < 0) {
        rc = refuse(why, -errno, path, strerror(errno));
    } else {
        text[len] = '\0';
        if (!find_secret(text, out->secret) || !zmq_z85_decode(bytes, out->secret))
            rc = refuse(why, -EINVAL, path, is_credential(path) ? no_credential : no_key);
    }
    explicit_bzero(text, sizeof text);
    explicit_bzero(bytes, sizeof bytes);
    return rc;
}

int security_read_key(struct curve_server *out, const char *path, char why[CURVE_WHY_MAX])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return refuse(why, -error, path,
                      error == ENOENT ? "there is no such file; `driftc keygen server --server --file` with this path makes one" : strerror(error));
    }
    int rc = check_owner(path, &st, why);
    if (rc == 0 && !is_closed(path, &st))
        rc = refuse(why, -EPERM, path, "others may read or change it; allowed: mode 0600 (chmod 600) or 0400");
    if (rc == 0)
        rc = read_secret(out, fd, path, why);
    close(fd);
    return rc;
}

int security_check_clients(const char *path, char why[CURVE_WHY_MAX])
{
    struct stat st;
    if (stat(path, &st) < 0)
        return refuse(why, -errno, path,
                      errno == ENOENT ? "there is no such file; it lists who may speak, one {key, name, role} each"
                                      : strerror(errno));
    int rc = check_owner(path, &st, why);
    if (rc == 0 && (st.st_mode & 0022))
        rc = refuse(why, -EPERM, path, "others may change it, and with it who may speak; allowed: mode 0644 (chmod 644)");
    return rc;
}
