/* feedback.h - what trainers say, read strictly, and how they are answered. docs/protocol.md has the messages.
 *
 * Threads: pure functions. Memory: feedback_read() makes a value that feedback_free() frees; replies are the caller's to
 * free. Failure: -EINVAL with a sentence for what is no message; NULL for a reply when memory was short.
 */
#ifndef DRIFT_LIB_WIRE_FEEDBACK_H
#define DRIFT_LIB_WIRE_FEEDBACK_H

#include <stdint.h>

#include "lib/text.h"

#define FEEDBACK_BYTES_MAX 262144
#define FEEDBACK_NAME_MAX 128      /* bytes of a trainer's name, of a request's id */
#define FEEDBACK_NOTE_MAX 256      /* bytes that are kept of a note or an error */
#define FEEDBACK_ARTIFACT_MAX 1024 /* bytes */
#define FEEDBACK_METRICS_MAX 65536 /* bytes of the metrics as JSON */

enum feedback_say { SAY_ACCEPT, SAY_PROGRESS, SAY_DONE, SAY_FAIL, SAYS };

/* Texts are empty, numbers NAN, metrics_json NULL where they were not given. */
struct feedback {
    enum feedback_say say;
    char request[FEEDBACK_NAME_MAX + 1];
    char trainer[FEEDBACK_NAME_MAX + 1];
    uint32_t attempt;
    double fraction;                  /* progress: 0 to 1 */
    char note[FEEDBACK_NOTE_MAX + 1]; /* of progress, or the error of fail; cut */
    char version[FEEDBACK_NAME_MAX + 1];
    char artifact[FEEDBACK_ARTIFACT_MAX + 1];
    char *metrics_json;
    double gpu_hours; /* >= 0 */
    bool retry;
};

/* Reads a message. 0; -EINVAL with a sentence in `why` for the trainer; -ENOMEM. */
int feedback_read(struct feedback *out, struct text json, char why[256]);
void feedback_free(struct feedback *self);

/* One of the reported metrics; NAN: not among them. */
double feedback_metric(const struct feedback *self, const char *name);

/* Whether a reported metric is a number, as the one that a request is about has to be; one that is absent or null fits. */
bool feedback_metric_fits(const struct feedback *self, const char *name);

/* {"ok": true}, with a lease for accept and progress, and "cancel" for progress. */
char *feedback_granted(enum feedback_say say, int64_t lease_ns, bool cancel);
char *feedback_refused(const char *code, const char *message);

#endif
