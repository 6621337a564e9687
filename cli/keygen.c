#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "cli/command.h"
#include "cli/curve.h"
#include "cli/say.h"
#include "lib/model_id.h"

#define NAME_MOST 64
#define PROJECTS_MOST 64

struct keygen {
    const char *name, *role, *file;
    const char *projects[PROJECTS_MOST];
    int project_count;
    bool server;
};

enum { KEY_ROLE = 'r', KEY_PROJECT = 'p', KEY_FILE = 'o', KEY_SERVER = 's' };

static const struct argp_option options[] = {
    {"role", KEY_ROLE, "ROLE", 0, "node, trainer or observer (node)", 0},
    {"project", KEY_PROJECT, "PROJECT", 0, "A project that the key is for; may be given again (all of them)", 0},
    {"file", KEY_FILE, "FILE", 0, "Where the certificate is written (NAME.secret)", 0},
    {"server", KEY_SERVER, NULL, 0, "For the daemon itself: security.server_key", 0},
    {0},
};

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return len >= 1 && len <= NAME_MOST && text[0] != '.' && text[0] != '-' && strspn(text, letters) == len;
}

/* What can stand in quotes in the line that is printed. */
static bool is_project(const char *text)
{
    return model_id_segment_valid(text_of(text)) && !strpbrk(text, "\"\\");
}

static const char *option(void *input, int key, const char *value)
{
    struct keygen *self = input;
    switch (key) {
    case KEY_ROLE:
        self->role = value;
        return strcmp(value, "node") == 0 || strcmp(value, "trainer") == 0 || strcmp(value, "observer") == 0
                   ? NULL
                   : "node, trainer or observer";
    case KEY_PROJECT:
        if (!is_project(value) || self->project_count == PROJECTS_MOST)
            return "a project's name, 64 times at most";
        self->projects[self->project_count++] = value;
        return NULL;
    case KEY_FILE:
        self->file = value;
        return *value ? NULL : "a file";
    default:
        self->server = true;
        return NULL;
    }
}

/* Made with its mode, never over a file that is there; and on the disk when it is said to be. */
static int write_certificate(const struct keygen *self, const char *public_key, const char *secret)
{
    char text[512];
    int len = snprintf(text, sizeof text,
                       "# A CURVE certificate of driftd. Whoever can read it can speak in its name.\n"
                       "metadata\n    name = \"%s\"\ncurve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
                       self->name, public_key, secret);
    int fd = open(self->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, text, (size_t)len) == len && fsync(fd) == 0;
    int error = errno;
    explicit_bzero(text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (good)
        return 0;
    if (fd < 0 && error == EEXIST) {
        say("%s is there already, and may be in use: remove it, or name another with --file", self->file);
        return EX_CANTCREAT;
    }
    if (fd >= 0)
        unlink(self->file);
    say("%s cannot be written: %s", self->file, strerror(error));
    return EX_CANTCREAT;
}

static json_t *line_of(const struct keygen *self, const char *public_key)
{
    char projects[PROJECTS_MOST * 132] = "\"*\"", line[sizeof projects + 256];
    size_t len = 0;
    for (int i = 0; i < self->project_count; i++)
        len += (size_t)snprintf(projects + len, sizeof projects - len, "%s\"%s\"", i ? ", " : "", self->projects[i]);
    snprintf(line, sizeof line, "- {key: \"%s\", name: \"%s\", role: %s, projects: [%s]}", public_key, self->name,
             self->role, projects);
    return must(json_string(line));
}

static void show(const struct keygen *self, const struct common *common, const char *public_key)
{
    json_t *line = self->server ? NULL : line_of(self, public_key);
    if (common->json) {
        json_t *all = must(json_pack("{s:s, s:s, s:s, s:o?}", "name", self->name, "file", self->file, "public_key",
                                     public_key, "client", line));
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
        return;
    }
    fprintf(stderr, "The secret key is in %s, mode 0600.\n", self->file);
    if (self->project_count && strcmp(self->role, "node") != 0)
        fprintf(stderr,
                "Each of its projects needs endpoints of its own: projects.<project>.%s in the configuration.\n",
                strcmp(self->role, "trainer") == 0 ? "jobs" : "events");
    if (self->server)
        fprintf(stderr, "What clients need, as --server-key:\n");
    else
        fprintf(stderr, "The line for clients.yaml:\n");
    puts(line ? json_string_value(line) : public_key);
    json_decref(line);
}

int keygen_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct keygen keygen = {.role = "node"};
    struct arguments arguments = {.options = options, .option = option, .input = &keygen, .least = 1, .most = 1};
    char public_key[CURVE_KEY_LEN + 1], secret[CURVE_KEY_LEN + 1], file[NAME_MOST + 16];
    command_arguments(self, common, argc, argv, &arguments);
    keygen.name = arguments.words[0];
    if (!is_name(keygen.name))
        say_and_end(EX_USAGE, "'%s' is no name for a key: 1 to 64 letters, digits, '-', '_' and '.'", keygen.name);
    snprintf(file, sizeof file, "%s.secret", keygen.name);
    keygen.file = keygen.file ? keygen.file : file;
    if (zmq_curve_keypair(public_key, secret) < 0)
        say_and_end(EX_UNAVAILABLE, "this libzmq knows no CURVE");
    int status = write_certificate(&keygen, public_key, secret);
    explicit_bzero(secret, sizeof secret);
    if (status == 0)
        show(&keygen, common, public_key);
    return status;
}
