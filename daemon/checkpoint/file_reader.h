/* file_reader.h - the records of one file, those that hold.
 *
 * Threads: one. Memory: a buffer as long as the longest record. Failure: file_reader_open() says -ENOENT: not ours or its head
 * is damaged; -EPROTO: of another version; or an error of the disk. What is damaged further on is passed over and told at
 * the end.
 */
#ifndef DRIFTD_CHECKPOINT_FILE_READER_H
#define DRIFTD_CHECKPOINT_FILE_READER_H

#include "daemon/checkpoint/format.h"

struct file_reader {
    int fd;
    struct format_head head;
    uint8_t *buffer;
    size_t room, from, until; /* what has been read and not used: buffer[from .. until) */
    uint64_t left;            /* bytes of the file that have not been read */
    uint64_t tried;           /* bytes looked at in vain */
    uint64_t size;
    uint64_t records, promised; /* read; and written, or UINT64_MAX: there was no end */
    bool damaged;
    int error; /* of the disk, or -ENOMEM */
};

int file_reader_open(struct file_reader *self, int folder_fd, const char *name);

/* The content of the next record, valid until the next call. False: there is none any more. */
bool file_reader_next(struct file_reader *self, const uint8_t **content_p, uint32_t *length_p);

void file_reader_close(struct file_reader *self);

#endif
