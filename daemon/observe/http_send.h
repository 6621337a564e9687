/* http_send.h - sends what a request is answered with.
 *
 * Threads: the HTTP station's. Memory: a text that is sent is taken over, a response too. Failure: MHD_NO: the
 * connection is closed.
 */
#ifndef DRIFTD_OBSERVE_HTTP_SEND_H
#define DRIFTD_OBSERVE_HTTP_SEND_H

#include "daemon/observe/http_inside.h"

enum MHD_Result http_queue(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response,
                           const char *type);

/* A text that is sent as it stands, or not at all when the reader has it already. */
enum MHD_Result http_send_tagged(struct MHD_Connection *connection, uint64_t tag, struct MHD_Response *response,
                                 const char *type);

enum MHD_Result http_send_text(struct MHD_Connection *connection, unsigned status, char *text, const char *type);

/* {"ok": false, "error": code, "message": sentence}; counted as refused. */
enum MHD_Result http_refuse(struct http *self, struct MHD_Connection *connection, unsigned status, const char *code,
                            const char *sentence);

void http_count(atomic_uint_fast64_t *counter);

#endif
