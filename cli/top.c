/* top: status and models, drawn anew every few seconds on a screen of its own. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/models.h"
#include "cli/say.h"
#include "cli/status.h"
#include "cli/terminal.h"

#define EVERY_S 2
#define HEAD_LINES 9 /* of the status, titles and keys; what it says beyond that cuts the table */

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    stopping = stopping || number != SIGWINCH;
}

struct top {
    const char *pattern;
    double every_s, most; /* drawings; 0: no end */
};

enum { KEY_EVERY = 'd', KEY_COUNT = 'n' };

static const char *option(void *input, int key, const char *value)
{
    struct top *top = input;
    if (key == KEY_COUNT)
        return option_number(value, 1, 1e15, &top->most) ? NULL : "a number of at least 1";
    return option_number(value, 0.1, 3600, &top->every_s) ? NULL : "a number of seconds from 0.1 to 3600";
}

static size_t rows_for_models(void)
{
    struct winsize size;
    int lines = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
    return lines > HEAD_LINES + 3 ? (size_t)(lines - HEAD_LINES) : 3;
}

/* One drawing, in one piece. */
static int draw(const struct common *common, const struct top *top)
{
    json_t *status, *models;
    size_t rows = rows_for_models();
    int error = control_get(common, json_pack("{s:s}", "do", "status"), &status);
    if (error)
        return error;
    error = models_gather(common, top->pattern, rows, &models);
    if (error == 0 && common->json) {
        json_t *both = must(json_pack("{s:O, s:O}", "status", status, "models", models));
        json_dumpf(both, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(both);
    } else if (error == 0) {
        printf("\033[H\033[J");
        status_show(status);
        putchar('\n');
        models_table(models);
        printf("%sq ends this, any other key draws it anew%s", terminal_on(DIM), terminal_off(DIM));
    }
    json_decref(models);
    json_decref(status);
    return fflush(stdout) == 0 ? error : EX_IOERR;
}

/* Waits for a key or until it is time. */
static void wait_a_while(const struct top *top, bool keys)
{
    struct pollfd input = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
    char key;
    if (poll(&input, 1, (int)(top->every_s * 1000)) == 1 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 3))
        stopping = 1;
}

static int run(const struct common *common, const struct top *top, bool keys)
{
    int status = draw(common, top);
    if (status)
        return status;
    for (double drawn = 1; !stopping && (top->most <= 0 || drawn < top->most); drawn++) {
        wait_a_while(top, keys);
        /* A daemon that is away may come back: its absence stands on the screen until the next drawing. */
        if (!stopping)
            status = draw(common, top);
        if (status == EX_IOERR)
            return status;
    }
    return 0;
}

static int run_on_screen(const struct common *common, const struct top *top)
{
    struct termios before, quiet;
    bool keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (keys) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    printf("\033[?1049h\033[?25l");
    int status = run(common, top, keys);
    printf("\033[?25h\033[?1049l");
    fflush(stdout);
    if (keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return status;
}

int top_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {{"every", KEY_EVERY, "SECONDS", 0, "How often it is drawn (2)", 0},
                                                 {"count", KEY_COUNT, "N", 0, "End after so many drawings", 0},
                                                 {0}};
    struct top top = {.every_s = EVERY_S};
    struct arguments arguments = {.options = options, .option = option, .input = &top, .most = 1};
    const char *why;
    command_arguments(self, common, argc, argv, &arguments);
    top.pattern = arguments.count ? arguments.words[0] : NULL;
    if (top.pattern && model_pattern_check(text_of(top.pattern), &why) < 0)
        say_and_end(EX_USAGE, "'%s' is no pattern: %s", top.pattern, why);
    if (!common->json && !isatty(STDOUT_FILENO))
        say_and_end(EX_USAGE, "top needs a terminal; driftc models prints a table once, and --json works in a pipe");
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGWINCH, on_signal);
    return common->json ? run(common, &top, false) : run_on_screen(common, &top);
}
