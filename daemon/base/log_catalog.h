/* log_catalog.h - the MESSAGE_ID of sentences that the journal's catalog explains (`journalctl -x`).
 *
 * The texts are in systemd/driftd.catalog; a test holds the two and the sources together.
 *
 * Threads: any. Memory: constant. Failure: none.
 */
#ifndef DRIFTD_BASE_LOG_CATALOG_H
#define DRIFTD_BASE_LOG_CATALOG_H

/* 32 hexadecimal digits, or NULL: the sentence says all there is to say. */
const char *log_catalog_id(const char *sentence);

#endif
