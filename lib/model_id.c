#include "lib/model_id.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes of the UTF-8 character at `at`, or 0 where there is none: overlong forms, surrogates, what lies beyond U+10FFFF
 * and cut sequences are none (Unicode 15, table 3-7). */
static size_t character(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    size_t bytes = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || left < bytes)
        return 0;
    unsigned char low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return bytes;
}

/* C0, DEL, and C1 in its two-byte form. */
static bool is_control(const unsigned char *at, size_t bytes)
{
    return at[0] < 0x20 || at[0] == 0x7f || (bytes == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

/* What may stand anywhere in a segment but at its ends, and is all that most have. */
static bool is_plain(unsigned char c)
{
    static const bool plain[256] = {
        [' ' ... ')'] = true, ['+' ... '.'] = true, ['0' ... '>'] = true, ['@' ... 'Z'] = true, ['\\' ... '~'] = true};
    return plain[c];
}

/* NULL, or what is wrong with a segment of an id or, with `pattern`, of a pattern. */
static const char *segment_fault(struct text segment, bool pattern)
{
    const unsigned char *at = (const unsigned char *)segment.at;
    size_t counted = 0; /* a '*' may stand for nothing, so it does not count */
    if (segment.len == 0)
        return "a segment is empty; a segment has 1 to 128 bytes";
    if (at[0] == ' ' || at[segment.len - 1] == ' ')
        return "a segment begins or ends with a space; spaces may stand inside only";
    for (size_t i = 0, bytes; i < segment.len; i += bytes) {
        bytes = 1;
        if (is_plain(at[i])) {
            counted++;
            continue;
        }
        bytes = character(at + i, segment.len - i);
        if (bytes == 0)
            return "a segment is not valid UTF-8";
        if (is_control(at + i, bytes))
            return "a segment has a control character";
        if (at[i] == '/' || at[i] == '[' || (!pattern && (at[i] == '*' || at[i] == '?')))
            return "a segment has a '['; only '*' and '?' stand for other characters";
        counted += at[i] == '*' ? 0 : bytes;
    }
    return counted > MODEL_ID_SEGMENT_MAX ? "a segment is longer than 128 bytes and can match nothing" : NULL;
}

bool model_id_segment_valid(struct text segment)
{
    return segment.len <= MODEL_ID_SEGMENT_MAX && segment_fault(segment, false) == NULL;
}

/* Cuts the part before the first '/' off *rest; false when that was the last one. */
static bool cut_segment(struct text *rest, struct text *out)
{
    const char *slash = rest->len ? memchr(rest->at, '/', rest->len) : NULL;
    *out = (struct text){rest->at, slash ? (size_t)(slash - rest->at) : rest->len};
    if (!slash)
        return false;
    *rest = (struct text){slash + 1, rest->len - out->len - 1};
    return true;
}

/* Neither empty, nor too long, nor with a space at an end. */
static bool is_bounded(struct text segment)
{
    return segment.len - 1 < MODEL_ID_SEGMENT_MAX && segment.at[0] != ' ' && segment.at[segment.len - 1] != ' ';
}

/* Cuts a text of plain characters but for slashes at these two of them. */
static bool cut_plain(struct model_id *out, struct text text, size_t first, size_t second)
{
    const struct text project = {text.at, first}, name = {text.at + first + 1, second - first - 1},
                      version = {text.at + second + 1, text.len - second - 1};
    if (!is_bounded(project) || !is_bounded(name) || !is_bounded(version))
        return false;
    out->whole = text;
    out->project = project;
    out->name = name;
    out->version = version;
    return true;
}

/* One pass over an id as most are: of plain characters. False: it has others, or is none. */
static bool parse_plain(struct model_id *out, struct text text)
{
    size_t slash[2] = {0}, slashes = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (is_plain((unsigned char)text.at[i]))
            continue;
        if (text.at[i] != '/' || slashes == 2)
            return false;
        slash[slashes++] = i;
    }
    return slashes == 2 && cut_plain(out, text, slash[0], slash[1]);
}

#ifdef __SSE2__
/* A bit for each of sixteen bytes that is a slash; and for each that is neither that nor plain. */
static inline uint64_t slashes_of(const char *at, uint64_t *others)
{
    const __m128i bytes = _mm_loadu_si128((const void *)at);
    const __m128i marks =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('*')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('?')));
    const __m128i more =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('[')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')); /* those above ASCII as well */
    *others |= (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(marks, more), low));
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('/')));
}

/* The same for a text of 16 to 64 bytes, as most ids are. */
static bool parse_few(struct model_id *out, struct text text)
{
    uint64_t others = 0, slashes = 0;
    for (size_t i = 0; i + 16 < text.len; i += 16)
        slashes |= slashes_of(text.at + i, &others) << i;
    slashes |= slashes_of(text.at + text.len - 16, &others) << (text.len - 16);
    const uint64_t second = slashes & (slashes - 1);
    if (others || second == 0 || (second & (second - 1)) != 0)
        return false;
    return cut_plain(out, text, (size_t)__builtin_ctzll(slashes), (size_t)__builtin_ctzll(second));
}
#else
static bool parse_few(struct model_id *out, struct text text)
{
    return parse_plain(out, text);
}
#endif

int model_id_parse(struct model_id *out, struct text text)
{
    if (text.len - 16 <= 48 ? parse_few(out, text) : text.len <= MODEL_ID_MAX && parse_plain(out, text))
        return 0;
    struct model_id id = {.whole = text};
    struct text rest = text;
    if (text.len > MODEL_ID_MAX || !cut_segment(&rest, &id.project) || !cut_segment(&rest, &id.name))
        return -EINVAL;
    id.version = rest; /* a further '/' makes it invalid */
    if (!model_id_segment_valid(id.project) || !model_id_segment_valid(id.name) || !model_id_segment_valid(id.version))
        return -EINVAL;
    *out = id;
    return 0;
}

struct text model_id_family(const struct model_id *id)
{
    return (struct text){id->whole.at, id->project.len + 1 + id->name.len};
}

struct text model_id_family_of(struct text valid)
{
    size_t len = valid.len;
    while (len && valid.at[len - 1] != '/')
        len--;
    return (struct text){valid.at, len ? len - 1 : valid.len};
}

int model_pattern_check(struct text pattern, const char **why_p)
{
    if (pattern.len == 0) {
        *why_p = "the pattern is empty; \"*\" stands for every model";
        return -EINVAL;
    }
    struct text rest = pattern, segment;
    bool more = true;
    for (int segments = 0; more; segments++) {
        if (segments == 3) {
            *why_p = "there are more than three segments; a pattern is project, project/name or project/name/version";
            return -EINVAL;
        }
        more = cut_segment(&rest, &segment);
        const char *fault = segment_fault(segment, true);
        if (fault) {
            *why_p = fault;
            return -EINVAL;
        }
    }
    return 0;
}

/* A glob over one segment. Only the last '*' has to be tried again: what an earlier one took can stay. Both texts are
 * valid UTF-8, and '*' grows by whole characters, so '?' never meets the middle of one. */
static bool segment_matches(struct text pattern, struct text segment)
{
    const unsigned char *at = (const unsigned char *)segment.at;
    size_t p = 0, s = 0, star = SIZE_MAX, taken = 0;
    while (s < segment.len) {
        if (p < pattern.len && pattern.at[p] == '*') {
            star = p++;
            taken = s;
        } else if (p < pattern.len && pattern.at[p] == '?') {
            p++;
            s += character(at + s, segment.len - s);
        } else if (p < pattern.len && pattern.at[p] == segment.at[s]) {
            p++;
            s++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            taken += character(at + taken, segment.len - taken);
            s = taken;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*')
        p++;
    return p == pattern.len;
}

bool model_pattern_matches(struct text pattern, const struct model_id *id)
{
    const struct text segments[] = {id->project, id->name, id->version};
    struct text rest = pattern, segment;
    bool more = true;
    for (int i = 0; more; i++) {
        assert(i < 3); /* the pattern was checked */
        more = cut_segment(&rest, &segment);
        if (!segment_matches(segment, segments[i]))
            return false;
    }
    return true;
}
