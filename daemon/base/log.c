#include "daemon/base/log.h"

#include <ctype.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/base/clock.h"
#include "daemon/base/log_catalog.h"
#include "daemon/base/log_pace.h"

/* A line is written with one write() of at most PIPE_BUF bytes, so that lines of two threads never mix. What does not
 * fit is cut, and ends with LINE_CUT. */
#define LINE_MAX_BYTES 4096
#define LINE_CUT "..."
#define FIELDS_MAX 24

static atomic_int format = LOG_FORMAT_LOGFMT;
static atomic_int lowest = LOG_LEVEL_INFO;
static atomic_uint_fast64_t lost;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const int level_priorities[] = {7, 6, 4, 3};

/* A buffer that takes what fits; `cut` says that something did not. */
struct line {
    char at[LINE_MAX_BYTES];
    size_t len, room; /* room leaves space for what must follow */
    bool cut;
};

static void line_add(struct line *line, const char *bytes, size_t len)
{
    if (line->cut)
        return;
    if (line->len + len > line->room) {
        line->cut = true;
        return;
    }
    memcpy(line->at + line->len, bytes, len);
    line->len += len;
}

static void line_text(struct line *line, const char *text)
{
    line_add(line, text, strlen(text));
}

/* Bytes of the well-formed UTF-8 character at `s`, 0 where there is none (RFC 3629, table of section 4). */
static size_t utf8_character(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return (s[1] & 0xc0) == 0x80 ? 2 : 0;
    if (s[0] >= 0xe0 && s[0] <= 0xef) {
        unsigned char low = s[0] == 0xe0 ? 0xa0 : 0x80, high = s[0] == 0xed ? 0x9f : 0xbf;
        return s[1] >= low && s[1] <= high && (s[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        unsigned char low = s[0] == 0xf0 ? 0x90 : 0x80, high = s[0] == 0xf4 ? 0x8f : 0xbf;
        return s[1] >= low && s[1] <= high && (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80 ? 4 : 0;
    }
    return 0;
}

/* Adds text from outside: control characters (C0, DEL, C1) and what is no UTF-8 come out as escapes; quotes and
 * backslashes too where `quoted`. */
static void line_escaped(struct line *line, const char *text, bool quoted, bool json)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        size_t bytes = utf8_character(s);
        char escape[8];
        if (bytes == 0) {
            /* JSON has no way to write a stray byte. */
            snprintf(escape, sizeof escape, json ? "\\ufffd" : "\\x%02x", *s);
            line_text(line, escape);
            bytes = 1;
        } else if (*s < 0x20 || *s == 0x7f || (bytes == 2 && s[0] == 0xc2 && s[1] < 0xa0)) {
            unsigned code = bytes == 2 ? s[1] : s[0];
            if (code == '\n')
                line_text(line, "\\n");
            else if (code == '\t')
                line_text(line, "\\t");
            else {
                snprintf(escape, sizeof escape, json ? "\\u%04x" : "\\x%02x", code);
                line_text(line, escape);
            }
        } else if (quoted && (*s == '"' || *s == '\\')) {
            escape[0] = '\\';
            escape[1] = (char)*s;
            line_add(line, escape, 2);
        } else {
            line_add(line, (const char *)s, bytes);
        }
        s += bytes;
    }
}

/* A fraction has the seven digits that windows keep: what was published as 0.1 is not 0.100000001. */
static void number_text(double number, bool json, char out[32])
{
    if (!isfinite(number))
        snprintf(out, 32, "%s", json ? "null" : isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
    else if (number == floor(number) && fabs(number) < 9007199254740992.0)
        snprintf(out, 32, "%.0f", number);
    else
        snprintf(out, 32, "%.7g", number);
}

/* logfmt needs quotes where a value is empty or holds a space, a quote, an equals sign or something escaped. */
static bool needs_quotes(const char *text)
{
    if (!*text)
        return true;
    for (const char *s = text; *s; s++) {
        if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || (unsigned char)*s >= 0x7f)
            return true;
    }
    return false;
}

static void logfmt_value(struct line *line, const struct log_field *field)
{
    char number[32];
    if (!field->text) {
        number_text(field->number, false, number);
        line_text(line, number);
    } else if (needs_quotes(field->text)) {
        line_text(line, "\"");
        line_escaped(line, field->text, true, false);
        line_text(line, "\"");
    } else {
        line_text(line, field->text);
    }
}

static void logfmt_fields(struct line *line, const struct log_field *fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        line_text(line, " ");
        line_text(line, fields[i].name);
        line_text(line, "=");
        logfmt_value(line, &fields[i]);
    }
}

/* Writes without ever waiting for the reader: a terminal that is held, or a pipe that nobody empties, must not stop a
 * station. The mutex keeps what poll() said true until write(). */
static void line_write(struct line *line)
{
    pthread_mutex_lock(&writing);
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    bool written = poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) &&
                   write(STDERR_FILENO, line->at, line->len) == (ssize_t)line->len;
    pthread_mutex_unlock(&writing);
    if (!written)
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
}

static void write_logfmt(enum log_level level, const char *sentence, const struct log_field *fields, unsigned count)
{
    struct line line = {.room = LINE_MAX_BYTES - sizeof LINE_CUT - 1};
    char time[CLOCK_TEXT_MAX];
    clock_text(clock_now().wall_s, time);
    line_text(&line, "time=");
    line_text(&line, time);
    line_text(&line, " level=");
    line_text(&line, level_names[level]);
    line_text(&line, " msg=\"");
    line_escaped(&line, sentence, true, false);
    line_text(&line, "\"");
    logfmt_fields(&line, fields, count);
    bool cut = line.cut;
    line.room = LINE_MAX_BYTES;
    line.cut = false;
    line_text(&line, cut ? LINE_CUT "\n" : "\n");
    line_write(&line);
}

/* A line that is cut must stay one JSON value: fields go in whole or not at all. */
static void write_json(enum log_level level, const char *sentence, const struct log_field *fields, unsigned count)
{
    struct line line = {.room = LINE_MAX_BYTES - 64};
    char time[CLOCK_TEXT_MAX], number[32];
    clock_text(clock_now().wall_s, time);
    line_text(&line, "{\"time\":\"");
    line_text(&line, time);
    line_text(&line, "\",\"level\":\"");
    line_text(&line, level_names[level]);
    line_text(&line, "\",\"msg\":\"");
    line_escaped(&line, sentence, true, true);
    bool any_cut = line.cut;
    line.cut = false;
    line.room = LINE_MAX_BYTES - 32;
    line_text(&line, "\"");
    for (unsigned i = 0; i < count; i++) {
        size_t before = line.len;
        line_text(&line, ",\"");
        line_text(&line, fields[i].name);
        line_text(&line, "\":");
        if (fields[i].text) {
            line_text(&line, "\"");
            line_escaped(&line, fields[i].text, true, true);
            line_text(&line, "\"");
        } else {
            number_text(fields[i].number, true, number);
            line_text(&line, number);
        }
        if (line.cut) {
            line.len = before;
            line.cut = false;
            any_cut = true;
        }
    }
    line.room = LINE_MAX_BYTES;
    line_text(&line, any_cut ? ",\"cut\":true}\n" : "}\n");
    line_write(&line);
}

/* The message carries the fields as well, since that is all that journalctl shows by default. */
static void write_journal(enum log_level level, const char *sentence, const struct log_field *fields, unsigned count)
{
    struct line message = {.room = LINE_MAX_BYTES - sizeof LINE_CUT};
    line_text(&message, "MESSAGE=");
    line_escaped(&message, sentence, false, false);
    logfmt_fields(&message, fields, count);
    if (message.cut) {
        message.room = LINE_MAX_BYTES;
        message.cut = false;
        line_text(&message, LINE_CUT);
    }
    char priority[16];
    snprintf(priority, sizeof priority, "PRIORITY=%d", level_priorities[level]);
    static const char identifier[] = "SYSLOG_IDENTIFIER=driftd";

    struct iovec parts[FIELDS_MAX + 4];
    int used = 0;
    parts[used++] = (struct iovec){message.at, message.len};
    parts[used++] = (struct iovec){priority, strlen(priority)};
    parts[used++] = (struct iovec){(void *)(uintptr_t)identifier, sizeof identifier - 1};
    char message_id[64];
    if (log_catalog_id(sentence)) {
        snprintf(message_id, sizeof message_id, "MESSAGE_ID=%s", log_catalog_id(sentence));
        parts[used++] = (struct iovec){message_id, strlen(message_id)};
    }
    struct line store = {.room = LINE_MAX_BYTES};
    for (unsigned i = 0; i < count && used < FIELDS_MAX + 4; i++) {
        size_t from = store.len;
        line_text(&store, "DRIFTD_");
        for (const char *s = fields[i].name; *s; s++) {
            char upper = (char)toupper((unsigned char)*s);
            line_add(&store, &upper, 1);
        }
        line_text(&store, "=");
        char number[32];
        if (fields[i].text) {
            line_escaped(&store, fields[i].text, false, false);
        } else {
            number_text(fields[i].number, false, number);
            line_text(&store, number);
        }
        if (store.cut) {
            store.len = from;
            store.cut = false;
            continue;
        }
        parts[used++] = (struct iovec){store.at + from, store.len - from};
    }
    if (sd_journal_sendv(parts, used) < 0)
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
}

/* systemd sets JOURNAL_STREAM to "device:inode" of the stream it gave us; a redirected standard error is another file.
 */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           (unsigned long long)st.st_dev == device && (unsigned long long)st.st_ino == inode;
}

void log_open(enum log_format wanted, enum log_level level)
{
    if (wanted == LOG_FORMAT_AUTO)
        wanted = stderr_is_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_LOGFMT;
    atomic_store(&format, wanted);
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store(&lowest, level);
}

static void write_line(enum log_level level, const char *sentence, const struct log_field *fields, unsigned count)
{
    switch ((enum log_format)atomic_load_explicit(&format, memory_order_relaxed)) {
    case LOG_FORMAT_JOURNAL:
        write_journal(level, sentence, fields, count);
        break;
    case LOG_FORMAT_JSON:
        write_json(level, sentence, fields, count);
        break;
    case LOG_FORMAT_AUTO:
    case LOG_FORMAT_LOGFMT:
        write_logfmt(level, sentence, fields, count);
        break;
    }
}

/* What was held back of other sentences is told with the next line that is written, whichever it is. */
void log_write(enum log_level level, const char *sentence, const struct log_field *fields, unsigned count)
{
    static struct log_pace pace;
    static pthread_mutex_t pacing = PTHREAD_MUTEX_INITIALIZER;
    if ((int)level < atomic_load_explicit(&lowest, memory_order_relaxed))
        return;
    char held[LOG_PACE_BYTES];
    uint64_t lines;
    int64_t now_ns = clock_now().steady_ns;
    pthread_mutex_lock(&pacing);
    bool told = log_pace_left_out(&pace, now_ns, held, &lines);
    bool admitted = log_pace_admit(&pace, sentence, now_ns);
    pthread_mutex_unlock(&pacing);
    if (told)
        write_line(LOG_LEVEL_WARNING, "lines of one kind came too fast; so many of them were left out",
                   (const struct log_field[]){LOG_TEXT("kind", held), LOG_NUMBER("lines", lines)}, 2);
    if (admitted)
        write_line(level, sentence, fields, count);
}

uint64_t log_lost(void)
{
    return atomic_load_explicit(&lost, memory_order_relaxed);
}
