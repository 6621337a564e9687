/* notify.h - what the daemon tells the service manager: READY=1, STATUS=, STOPPING=1, WATCHDOG=1.
 *
 * Threads: the main thread. Memory: none. Failure: without a service manager every call does nothing.
 */
#ifndef DRIFTD_BASE_NOTIFY_H
#define DRIFTD_BASE_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void); /* notify_ready() says that it is over */
void notify_stopping(void);

/* One line for people, as `systemctl status` shows it. */
void notify_status(const char *sentence);

/* How often the service manager wants to hear of us, in nanoseconds; 0: it does not ask. */
int64_t notify_watchdog_ns(void);
void notify_watchdog(void);

#endif
