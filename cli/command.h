/* command.h - what driftc can be told to do: one table, one file a command.
 *
 * Threads: one. Memory: static. Failure: a command says what is wrong on stderr, in one sentence, and returns the exit
 * status of the program.
 */
#ifndef DRIFT_CLI_COMMAND_H
#define DRIFT_CLI_COMMAND_H

#include <argp.h>
#include <stdbool.h>

/* What every command takes, before its name or behind it. */
struct common {
    const char *socket; /* NULL: look for it */
    double timeout_s;
    bool timeout_given;
    bool json;
};

struct command {
    const char *name;
    const char *help;    /* one line */
    const char *usage;   /* what stands behind the options, or "" */
    const char *more;    /* further lines of help, or "" */
    const char *example; /* one line that works */
    int (*run)(const struct command *self, struct common *common, int argc, char **argv);
};

extern const struct command commands[]; /* ends with a NULL name */
const struct command *command_find(const char *name);

/* The command whose name is nearest, or NULL. */
const struct command *command_nearest(const char *name);

/* What a command takes of its own. */
struct arguments {
    const struct argp_option *options; /* NULL: none */
    /* Takes one option; returns NULL, or what its value has to be: "a number above 0". */
    const char *(*option)(void *input, int key, const char *value);
    void *input;
    int least, most; /* words */
    char **words;    /* the words that were given, and */
    int count;       /* how many */
};

/* Reads a command's arguments, the common ones among them; ends the program with EX_USAGE where they are wrong. */
void command_arguments(const struct command *self, struct common *common, int argc, char **argv,
                       struct arguments *arguments);

/* The common options, for main(). */
extern const struct argp common_argp;

/* Reads a whole text as a number, a time or a count. False when it is none, or out of range. */
bool option_number(const char *text, double least, double most, double *out);

int check_run(const struct command *self, struct common *common, int argc, char **argv);
int status_run(const struct command *self, struct common *common, int argc, char **argv);
int models_run(const struct command *self, struct common *common, int argc, char **argv);
int model_run(const struct command *self, struct common *common, int argc, char **argv);
int explain_run(const struct command *self, struct common *common, int argc, char **argv);
int requests_run(const struct command *self, struct common *common, int argc, char **argv);
int request_run(const struct command *self, struct common *common, int argc, char **argv);
int rejects_run(const struct command *self, struct common *common, int argc, char **argv);
int retrain_run(const struct command *self, struct common *common, int argc, char **argv);
int cancel_run(const struct command *self, struct common *common, int argc, char **argv);
int checkpoint_run(const struct command *self, struct common *common, int argc, char **argv);
int requeue_run(const struct command *self, struct common *common, int argc, char **argv);
int silence_run(const struct command *self, struct common *common, int argc, char **argv);
int unsilence_run(const struct command *self, struct common *common, int argc, char **argv);
int reload_run(const struct command *self, struct common *common, int argc, char **argv);
int log_level_run(const struct command *self, struct common *common, int argc, char **argv);
int watch_run(const struct command *self, struct common *common, int argc, char **argv);
int top_run(const struct command *self, struct common *common, int argc, char **argv);
int publish_run(const struct command *self, struct common *common, int argc, char **argv);
int trainer_run(const struct command *self, struct common *common, int argc, char **argv);
int detect_run(const struct command *self, struct common *common, int argc, char **argv);
int arl_run(const struct command *self, struct common *common, int argc, char **argv);
int backtest_run(const struct command *self, struct common *common, int argc, char **argv);
int record_run(const struct command *self, struct common *common, int argc, char **argv);
int keygen_run(const struct command *self, struct common *common, int argc, char **argv);
int help_run(const struct command *self, struct common *common, int argc, char **argv);

#endif
