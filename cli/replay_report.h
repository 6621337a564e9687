/* replay_report.h - what a backtest found, for people and for programs.
 *
 * Threads: one. Memory: a report keeps the triggers it is told of. Failure: the program ends when there is no memory.
 */
#ifndef DRIFT_CLI_REPLAY_REPORT_H
#define DRIFT_CLI_REPLAY_REPORT_H

#include "lib/backtest/backtest.h"

struct replay_report;

/* `files`: of how many files triggers may come. */
void replay_report_new(struct replay_report **self_p, const char *config, int files);

/* One trigger, at a line (from 0) of a file. */
void replay_report_trigger(struct replay_report *self, const char *file, uint64_t line,
                           const struct backtest_trigger *trigger);

/* The recording has told that something else became of one. */
void replay_report_correct(struct replay_report *self, const struct backtest_trigger *trigger);

/* Prints it on stdout. */
void replay_report_show(const struct replay_report *self, const struct backtest *backtest);
void replay_report_show_json(const struct replay_report *self, const struct backtest *backtest);

void replay_report_destroy(struct replay_report **self_p);

#endif
