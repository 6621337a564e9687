/* sentences.h - what is said about one rule, one budget and the model as a whole.
 *
 * Threads: pure functions. Memory: the caller's. Failure: a sentence that is too long is cut.
 */
#ifndef DRIFT_LIB_EXPLAIN_SENTENCES_H
#define DRIFT_LIB_EXPLAIN_SENTENCES_H

#include "lib/explain/delay.h"
#include "lib/explain/words.h"

/* Changes that are spoken of: five points first. */
#define EXPLAIN_SHIFTS 5
extern const double explain_shifts[EXPLAIN_SHIFTS]; /* standard deviations; 0: five points */

/* Towards where a change is looked for, when there is a choice: down for rates, up for all else. */
bool explain_down(const struct explain_rule *rule);
bool explain_kpi_down(const struct explain_kpi *kpi);

/* Values a second that a rule sees: measured, else given, else 0. */
double explain_rate(const struct explain *self, const struct explain_rule *rule);

/* What its statistic is held against, now or once its reference is full; NAN: no one number yet. */
double explain_threshold(const struct explain_rule *rule);

/* Why a rule promises nothing; NULL: it does promise. */
const char *explain_why_not(const struct explain_rule *rule);

void sentence_promise(const struct explain *self, const struct explain_rule *rule, struct sentence *out);
void sentence_caveat(const struct explain_rule *rule, struct sentence *out); /* may stay empty */
void sentence_threshold(const struct explain_rule *rule, struct sentence *out);
void sentence_reference(const struct explain_rule *rule, struct sentence *out);

struct delay_words {
    const char *metric;
    bool down;
    double rate;         /* values a second; 0: not known */
    const char *unknown; /* why some delay is not known */
    const char *missed;  /* what there is to say where five points are not found */
    bool assumed;        /* the highest rate is assumed */
};
const char *explain_no_delay(const struct explain_rule *rule);
const char *explain_missed(const struct explain_rule *rule);
void sentence_delay(const struct delay_answer answers[EXPLAIN_SHIFTS], const struct delay_words *words,
                    struct sentence *out);

/* How soon evidence sees a level that is five points beyond its budget. */
void sentence_beyond(const struct explain_rule *rule, double rate, struct sentence *out);

void sentence_kpi_promise(const struct explain_kpi *kpi, struct sentence *out);
void sentence_kpi_threshold(const struct explain *self, const struct explain_kpi *kpi, struct sentence *out);

void sentence_model(const struct explain *self, struct sentence *out);

#endif
