#include "cli/work.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/say.h"

/* Output of a command's children that outlive it is waited for no longer than this. */
#define DRAIN_NS INT64_C(200000000)

struct stream {
    int fd; /* -1: closed */
    bool error;
    char line[WORK_LINE_MAX];
    size_t len;
    char last[WORK_LINE_MAX + 1];
};

struct work {
    pid_t pid;
    bool ended; /* and reaped */
    int status;
    int64_t started_ns, ended_ns, kill_ns;
    struct stream output, errors;
    void (*line)(void *argument, struct text line, bool error);
    void *argument;
};

static void put(int fd, struct text text)
{
    for (size_t at = 0; at < text.len;) {
        ssize_t took = write(fd, text.at + at, text.len - at);
        if (took < 0)
            say_and_end(EX_OSERR, "cannot make the command's input: %s", strerror(errno));
        at += (size_t)took;
    }
}

/* Standard input as a file in memory: nobody has to feed it. It is a line, for read(1) of the shell and for `cat; echo {}`. */
static int input_of(struct text text)
{
    int fd = memfd_create("job", MFD_CLOEXEC);
    if (fd < 0)
        say_and_end(EX_OSERR, "cannot make the command's input: %s", strerror(errno));
    put(fd, text);
    put(fd, text_of("\n"));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* In the child: only what may be called between fork and exec. */
static void become(const struct work_options *options, int input, int output, int errors, pid_t parent)
{
    char *const words[] = {"sh", "-c", (char *)options->command, NULL};
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EX_TEMPFAIL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
        _exit(EX_OSERR);
    execve("/bin/sh", words, options->environment);
    _exit(127);
}

static void make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        say_and_end(EX_OSERR, "cannot make a pipe: %s", strerror(errno));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

struct work *work_start(const struct work_options *options)
{
    struct work *self = must(calloc(1, sizeof *self));
    int output[2], errors[2], input = input_of(options->input);
    pid_t parent = getpid();
    make_pipe(output);
    make_pipe(errors);
    self->started_ns = clock_now_ns();
    self->kill_ns = INT64_MAX;
    self->line = options->line;
    self->argument = options->argument;
    self->output.fd = output[0];
    self->errors.fd = errors[0];
    self->errors.error = true;
    self->pid = fork();
    if (self->pid < 0)
        say_and_end(EX_OSERR, "cannot start a process: %s", strerror(errno));
    if (self->pid == 0)
        become(options, input, output[1], errors[1], parent);
    setpgid(self->pid, self->pid); /* here too: whoever is first */
    close(input);
    close(output[1]);
    close(errors[1]);
    return self;
}

int work_output(const struct work *self)
{
    return self->output.fd;
}

int work_errors(const struct work *self)
{
    return self->errors.fd;
}

void work_keep(struct work *self, struct text line, bool error)
{
    struct stream *stream = error ? &self->errors : &self->output;
    memcpy(stream->last, line.at, line.len);
    stream->last[line.len] = '\0';
}

static void end_line(struct work *self, struct stream *stream)
{
    size_t len = stream->len;
    if (len && stream->line[len - 1] == '\r')
        len--;
    if (len)
        self->line(self->argument, (struct text){.at = stream->line, .len = len}, stream->error);
    stream->len = 0;
}

/* What a line has beyond its bound is left out. */
static void take_bytes(struct work *self, struct stream *stream, const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] == '\n')
            end_line(self, stream);
        else if (stream->len < sizeof stream->line)
            stream->line[stream->len++] = at[i];
    }
}

static void close_stream(struct work *self, struct stream *stream)
{
    if (stream->fd < 0)
        return;
    close(stream->fd);
    stream->fd = -1;
    end_line(self, stream);
}

/* A command that writes without end must not keep the trainer from its other duties: a few chunks a turn. */
static void drain(struct work *self, struct stream *stream)
{
    char chunk[16384];
    for (int i = 0; i < 8 && stream->fd >= 0; i++) {
        ssize_t got = read(stream->fd, chunk, sizeof chunk);
        if (got > 0)
            take_bytes(self, stream, chunk, (size_t)got);
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            close_stream(self, stream);
        else if (errno == EAGAIN)
            break;
    }
}

/* The group is killed before its leader is reaped: as long as that is not done, nobody else can have its number. */
static void reap(struct work *self)
{
    siginfo_t info = {0};
    if (self->ended || waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return;
    kill(-self->pid, SIGKILL);
    waitpid(self->pid, &self->status, 0);
    self->ended = true;
    self->ended_ns = clock_now_ns();
}

bool work_turn(struct work *self, int64_t now_ns, int64_t *next_ns_p)
{
    if (!self->ended && now_ns >= self->kill_ns) {
        kill(-self->pid, SIGKILL);
        self->kill_ns = INT64_MAX;
    }
    drain(self, &self->output);
    drain(self, &self->errors);
    reap(self);
    *next_ns_p = self->ended ? self->ended_ns + DRAIN_NS : self->kill_ns;
    if (!self->ended)
        return false;
    if (now_ns < self->ended_ns + DRAIN_NS && (self->output.fd >= 0 || self->errors.fd >= 0)) {
        drain(self, &self->output);
        drain(self, &self->errors);
    }
    if (now_ns < self->ended_ns + DRAIN_NS && (self->output.fd >= 0 || self->errors.fd >= 0))
        return false;
    close_stream(self, &self->output);
    close_stream(self, &self->errors);
    return true;
}

void work_stop(struct work *self, int64_t now_ns, int64_t grace_ns)
{
    if (self->ended || self->kill_ns != INT64_MAX)
        return;
    kill(-self->pid, SIGTERM);
    self->kill_ns = now_ns + grace_ns;
}

int work_status(const struct work *self)
{
    return self->status;
}

int64_t work_took_ns(const struct work *self)
{
    return self->ended_ns - self->started_ns;
}

const char *work_last(const struct work *self)
{
    return self->output.last;
}

const char *work_last_error(const struct work *self)
{
    return self->errors.last;
}

void work_destroy(struct work **self_p)
{
    struct work *self = *self_p;
    if (!self)
        return;
    if (!self->ended) {
        kill(-self->pid, SIGKILL);
        waitpid(self->pid, &self->status, 0);
    }
    if (self->output.fd >= 0)
        close(self->output.fd);
    if (self->errors.fd >= 0)
        close(self->errors.fd);
    free(self);
    *self_p = NULL;
}
