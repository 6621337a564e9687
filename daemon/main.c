/* main.c - arguments, signals, exit statuses. */
#include <argp.h>
#include <czmq.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/engine/engine.h"

#define CONFIG_FILE "/etc/driftd/driftd.yaml"
#define CONFIG_FOLDER "/etc/driftd/conf.d"

enum option_key { KEY_CONFIG = 'c', KEY_CONF_DIR = 256, KEY_CHECK, KEY_NO_ENV, KEY_PRINT_CONFIG };

struct arguments {
    struct engine_files files;
    bool named, check, no_env, print;
};

static const struct argp_option options[] = {
    {"config", KEY_CONFIG, "FILE", 0, "the configuration (" CONFIG_FILE ")", 0},
    {"check", KEY_CHECK, NULL, 0, "check the configuration, print every mistake, and exit", 0},
    {"no-env", KEY_NO_ENV, NULL, 0, "with --check: variables of the environment may be absent", 0},
    {"conf-dir", KEY_CONF_DIR, "DIR", 0,
     "read every *.yaml in DIR as well, in name order (" CONFIG_FOLDER ", but none with --config alone)", 0},
    {"print-config", KEY_PRINT_CONFIG, NULL, 0, "print every value with the file and line that set it, and exit", 0},
    {0}};

static error_t take_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case KEY_CONFIG:
        arguments->files.file = value;
        arguments->named = true;
        return 0;
    case KEY_CHECK:
        arguments->check = true;
        return 0;
    case KEY_NO_ENV:
        arguments->no_env = true;
        return 0;
    case KEY_CONF_DIR:
        arguments->files.folder = value;
        return 0;
    case KEY_PRINT_CONFIG:
        arguments->print = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "there is no argument \"%s\" to give", value);
        return 0;
    case ARGP_KEY_END:
        if (arguments->no_env && !arguments->check)
            argp_error(state, "--no-env goes with --check only");
        if (arguments->print && arguments->check)
            argp_error(state, "--check or --print-config: which of them? --print-config tells every mistake as well");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Signals are blocked before any library can start a thread, and read by the main loop alone. */
static int signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk, not the end */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Large buffers go back to the system when they are freed. By itself the allocator would keep more and more of them after
 * the first: a list of ten thousand requests would be paid for ever after. */
static void keep_memory_steady(void)
{
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

/* argp prints help and version, and ends the program: what was printed has to have arrived. */
static void check_output(int status, void *nothing)
{
    (void)nothing;
    if (status || (fflush(stdout) == 0 && !ferror(stdout)))
        return;
    fprintf(stderr, "driftd: cannot write the output: %s\n", strerror(errno));
    _exit(EXIT_IO);
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        take_option,
        NULL,
        "driftd - watches models in production and asks for their retraining\v"
        "Runs in the foreground until SIGTERM or SIGINT; SIGHUP reads the configuration again.\n\n"
        "Exit status: 0 stopped when asked; 64 wrong usage; 69 an endpoint or the store is taken; 70 our bug; "
        "74 an I/O error; 78 configuration.",
        NULL,
        NULL,
        NULL};
    struct arguments arguments = {.files = {.file = CONFIG_FILE}};
    keep_memory_steady();
    signal(SIGPIPE, SIG_IGN); /* of no use to anybody who looks at what write() returns */
    on_exit(check_output, NULL);
    argp_program_version = "driftd " DRIFT_VERSION;
    argp_err_exit_status = EXIT_WRONG_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (!arguments.named && !arguments.files.folder)
        arguments.files = (struct engine_files){.file = CONFIG_FILE, .folder = CONFIG_FOLDER, .folder_may_lack = true};
    if (arguments.check)
        return engine_check(&arguments.files, arguments.no_env);
    if (arguments.print)
        return engine_print(&arguments.files);
    int signal_fd = signals_open();
    if (signal_fd < 0) {
        fprintf(stderr, "driftd: no descriptor for signals\n");
        return EXIT_OUR_BUG;
    }

    /* czmq would take SIGINT and SIGTERM for itself, at its start or with its first socket. */
    setenv("ZSYS_SIGHANDLER", "none", 1);
    zsys_handler_set(NULL);
    if (!zsys_init()) {
        fprintf(stderr, "driftd: ZeroMQ could not be started\n");
        return EXIT_OUR_BUG;
    }
    int status = engine_run(&arguments.files, signal_fd);
    zsys_shutdown();
    return status;
}
