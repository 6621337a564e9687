/* zmtp.h - what a publisher sends down a TCP connection, read: ZMTP 3.0 with the NULL mechanism, as a subscriber speaks
 * it (RFC 23 of ZeroMQ, https://rfc.zeromq.org/spec/23/; PING and PONG of RFC 37).
 *
 * Bytes come in, in pieces of any size, and what they say comes out: messages of up to two parts, whose parts point
 * into the bytes; what is to be sent back; why the connection has to end. A message that is not complete is looked at
 * again from its first byte, and remembered is how far it was read: each byte costs once, however small the pieces are.
 *
 * Pure. Threads: values, no state. Memory: the caller's; nothing is kept of the bytes. Failure: as zmtp_read() says.
 */
#ifndef DRIFT_LIB_WIRE_ZMTP_H
#define DRIFT_LIB_WIRE_ZMTP_H

#include <stdint.h>

#include "lib/text.h"

#define ZMTP_GREETING_BYTES 64
#define ZMTP_OPENING_BYTES 11
#define ZMTP_ANSWER_MAX 96
#define ZMTP_BESIDE 1024

enum zmtp_stage { ZMTP_GREETING, ZMTP_HANDSHAKE, ZMTP_TRAFFIC };

enum zmtp_fault {
    ZMTP_STRANGE,   /* does not begin as ZMTP does */
    ZMTP_OLD,       /* a version before 3.0 */
    ZMTP_MECHANISM, /* another than NULL */
    ZMTP_REFUSED,   /* the peer answers with an error of its own */
    ZMTP_SOCKET,    /* neither PUB nor XPUB */
    ZMTP_BROKEN,    /* bytes that are none of ZMTP's */
    ZMTP_TOO_LARGE, /* a message of more bytes than may be */
    ZMTP_FAULTS
};

struct zmtp {
    size_t most; /* bytes of a frame; a message has at most ZMTP_BESIDE more, with all its frames and their heads */
    size_t need; /* after ZMTP_WAIT: bytes from the first on that have to be there before anything can be said */
    enum zmtp_stage stage;
    /* Of the message that is not complete yet: */
    uint32_t parts;
    size_t looked; /* where its next frame begins, */
    size_t part_at[2], part_len[2];
};

enum zmtp_what {
    ZMTP_WAIT,    /* `need` says for what */
    ZMTP_MESSAGE, /* `topic`, `payload` and `parts` */
    ZMTP_ANSWER,  /* `answer` is to be sent; of no bytes, there is nothing to send */
    ZMTP_OPEN,    /* the peer's part of the handshake is over: READY, if it was not yet, and subscriptions are to be sent */
    ZMTP_END      /* `fault` says why; with ZMTP_TOO_LARGE `topic` is the first part, as far as it is known */
};

struct zmtp_said {
    struct text topic, payload; /* of parts that have not come: empty */
    uint32_t parts;             /* of the message; all behind the second were passed over */
    enum zmtp_fault fault;
    struct {
        uint8_t at[ZMTP_ANSWER_MAX];
        uint8_t len;
    } answer;
};

void zmtp_init(struct zmtp *self, size_t most);

/* What is sent first: the greeting as far as its version. libzmq then says its mechanism, and would hang up without a word
 * if it had seen ours and wanted another; ours is part of the first answer. */
void zmtp_opening(uint8_t out[ZMTP_OPENING_BYTES]);

/* Our part of the handshake, to be sent behind the first answer; returns how many bytes. libzmq hangs up without a word once
 * it reads that we are no peer of its socket's type; what type that is it has said by then, if it was given the time. A peer
 * that waits for ours is to get it after a while all the same. */
size_t zmtp_ready(uint8_t out[ZMTP_ANSWER_MAX]);

/* What a subscription to topics that begin with `prefix`, of up to 60 bytes, is sent as; returns how many bytes. */
size_t zmtp_subscription(const char *prefix, uint8_t out[ZMTP_ANSWER_MAX]);

/* Reads the next thing from bytes that begin where the last one ended: *used of them are done with. With ZMTP_WAIT none
 * is, and the next call must begin with the same bytes; with ZMTP_ANSWER it can be none as well. After ZMTP_END there
 * is nothing more to be read. */
enum zmtp_what zmtp_read(struct zmtp *self, const void *bytes, size_t len, size_t *used, struct zmtp_said *out);

#endif
