#include "cli/curve.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "cli/say.h"

#define FILE_MOST 4096

static bool is_key(const char *text)
{
    uint8_t bytes[32];
    bool is = strlen(text) == CURVE_KEY_LEN && zmq_z85_decode(bytes, text) != NULL;
    explicit_bzero(bytes, sizeof bytes);
    return is;
}

bool curve_value(const char *text, const char *name, char out[CURVE_KEY_LEN + 1])
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, "\n \t");
        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        const char *value = line + strlen(name);
        value += strspn(value, " \t");
        if (*value != '=')
            continue;
        value += 1 + strspn(value + 1, " \t\"");
        if (strcspn(value, "\" \t\r\n") != CURVE_KEY_LEN)
            continue;
        memcpy(out, value, CURVE_KEY_LEN);
        out[CURVE_KEY_LEN] = '\0';
        return is_key(out);
    }
    return false;
}

static int read_file(const char *path, char text[FILE_MOST + 1])
{
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, FILE_MOST, file) : 0;
    int error = errno;
    bool good = file && !ferror(file);
    if (file)
        fclose(file);
    text[len] = '\0';
    if (good)
        return 0;
    say("%s cannot be read: %s", path, strerror(error));
    return EX_NOINPUT;
}

static int read_server(struct curve *out, const char *server_key)
{
    char text[FILE_MOST + 1];
    if (is_key(server_key)) {
        memcpy(out->server, server_key, sizeof out->server);
        return 0;
    }
    if (access(server_key, F_OK) != 0) {
        say("--server-key takes a key of 40 characters or the file that it stands in; '%s' is neither", server_key);
        return EX_USAGE;
    }
    int status = read_file(server_key, text);
    if (status)
        return status;
    size_t lead = strspn(text, " \t\r\n"), len = strcspn(text + lead, " \t\r\n");
    if (len == CURVE_KEY_LEN) {
        memcpy(out->server, text + lead, len);
        out->server[len] = '\0';
    }
    if (!is_key(out->server) && !curve_value(text, "public-key", out->server)) {
        say("%s holds no public key: --server-key takes the 40 characters that driftd says at its start", server_key);
        status = EX_USAGE;
    }
    explicit_bzero(text, sizeof text);
    return status;
}

static int read_certificate(struct curve *out, const char *cert)
{
    char text[FILE_MOST + 1];
    int status = read_file(cert, text);
    if (status == 0 && !curve_value(text, "secret-key", out->secret)) {
        say("%s holds no secret key: `driftc keygen` makes a certificate", cert);
        status = EX_USAGE;
    }
    if (status == 0 && zmq_curve_public(out->public_key, out->secret) < 0) {
        say("this libzmq knows no CURVE");
        status = EX_UNAVAILABLE;
    }
    explicit_bzero(text, sizeof text);
    return status;
}

int curve_read(struct curve *out, const char *server_key, const char *cert)
{
    *out = (struct curve){.on = false};
    if (!server_key && !cert)
        return 0;
    if (!server_key || !cert) {
        say("%s is missing: CURVE needs --server-key and --cert", server_key ? "--cert" : "--server-key");
        return EX_USAGE;
    }
    int status = read_server(out, server_key);
    if (status == 0)
        status = read_certificate(out, cert);
    out->on = status == 0;
    return status;
}

void curve_apply(void *socket, const struct curve *self)
{
    if (!self || !self->on)
        return;
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, self->server, CURVE_KEY_LEN + 1);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, self->public_key, CURVE_KEY_LEN + 1);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, self->secret, CURVE_KEY_LEN + 1);
}
