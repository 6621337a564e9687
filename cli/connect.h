/* connect.h - connects a command's socket, whatever family the address is of.
 *
 * Threads: the socket's. Memory: none. Failure: as zmq_connect(3).
 */
#ifndef DRIFT_CLI_CONNECT_H
#define DRIFT_CLI_CONNECT_H

int connect_to(void *socket, const char *endpoint);

#endif
