/* outgoing.h - the bytes that may wait for readers of a socket: those that are being made, and those that it has not sent yet.
 *
 * Whoever asks for a list, or records, and does not read holds its bytes here. Where there is no room left a list is
 * refused before anybody is asked for it, and a piece of a recording is lost; short texts always pass, a thousand a connection.
 *
 * Threads: any; libzmq's give back what they have sent. Memory: lives until outgoing_drop() was called and the last
 * text has left libzmq. Failure: as each function says.
 */
#ifndef DRIFTD_BASE_OUTGOING_H
#define DRIFTD_BASE_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#define OUTGOING_SHORT 4096

struct outgoing;

/* Room for `most` bytes. NULL: no memory. */
struct outgoing *outgoing_new(int64_t most);

/* Asks for room. False: there is none. */
bool outgoing_take(struct outgoing *self, int64_t bytes);
void outgoing_give(struct outgoing *self, int64_t bytes);

/* Bytes that are taken. */
int64_t outgoing_used(const struct outgoing *self);

/* Makes a message of a text of `len` bytes, which it takes over and counts until libzmq has done with it, whether there is room or
 * not; one of less than OUTGOING_SHORT bytes is not counted. 0 or -ENOMEM: the text is freed. */
int outgoing_message(struct outgoing *self, zmq_msg_t *message, char *text, size_t len);

void outgoing_drop(struct outgoing **self_p);

#endif
