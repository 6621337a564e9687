/* asker.h - who asked a question, and how it is replied to.
 *
 * Threads: the control station's. Memory: as each function says. Failure: a reply that cannot be sent is lost; whoever
 * waits for it asks again.
 */
#ifndef DRIFTD_CONTROL_ASKER_H
#define DRIFTD_CONTROL_ASKER_H

#include <jansson.h>

#include "daemon/base/inbox.h"
#include "daemon/control/envelope.h"
#include "daemon/base/outgoing.h"

/* A client of the socket, or another station by letter. */
struct asker {
    struct envelope envelope;
    struct question *question; /* NULL: the socket */
};

/* Where replies leave. */
struct asker_socket {
    void *handle;
    struct outgoing *outgoing;
};

/* Replies by the socket or by letter. Takes the text over; NULL: there was no memory for it. */
void asker_reply(struct asker *self, const struct asker_socket *socket, char *text);

/* The same; takes the reference over. */
void asker_reply_json(struct asker *self, const struct asker_socket *socket, json_t *json);

#endif
