#include <endian.h>

#include "lib/wire/metric_layout.h"
#include "lib/wire/metric_message.h"

#define MISS 6 /* one in so many events is what it is worth */
#define MISSES_MAX 48

static const struct shape_form no_form;

static bool same_form(struct shape_form a, struct shape_form b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Bytes from `least` to `least + more` may stand at the next places. */
static void lay(struct shape *shape, uint32_t *at, size_t count, unsigned char least, unsigned char more)
{
    memset(shape->least + *at, least + 128, count);
    memset(shape->most + *at, more - 128, count);
    *at += (uint32_t)count;
}

static void lay_bytes(struct shape *shape, uint32_t *at, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        shape->least[*at + i] = (unsigned char)(bytes[i] + 128);
    memset(shape->most + *at, -128, count);
    *at += (uint32_t)count;
}

/* What stands where in a number whose last digit is the last of sixteen bytes. */
static void set_digits(struct shape_member *member, struct shape_form form)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    unsigned char digits[16] = {0}, point[16] = {0};
    const unsigned places = form.behind ? form.behind - 1u : 0;
    memset(form.behind ? point + 16 - places - form.whole : digits + 16 - form.whole, 0x0f, form.whole);
    memset(digits + 16 - places, 0x0f, places);
    for (int i = 0; i < 2; i++) {
        memcpy(&member->digits[i], digits + 8 - 8 * i, 8);
        memcpy(&member->point[i], point + 8 - 8 * i, 8);
        member->digits[i] = le64toh(member->digits[i]);
        member->point[i] = le64toh(member->point[i]);
    }
    member->tens = form.head ? -tens[places] : tens[places];
    member->wide = form.whole + places > 8;
}

static void lay_json(struct shape *shape, struct shape_member *member, uint32_t *at)
{
    const struct shape_form form = member->form;
    set_digits(member, form);
    lay(shape, at, form.spaces, ' ', 0);
    lay(shape, at, form.head != 0, form.head, 0);
    lay(shape, at, 1, form.whole > 1 ? '1' : '0', form.whole > 1 ? 8 : 9);
    lay(shape, at, form.whole - 1u, '0', 9);
    if (form.behind) {
        lay(shape, at, 1, '.', 0);
        lay(shape, at, form.behind - 1u, '0', 9);
    }
}

static void lay_msgpack(struct shape *shape, const struct shape_member *member, uint32_t *at)
{
    const struct shape_form form = member->form;
    lay(shape, at, form.head != 0, form.head, 0);
    lay(shape, at, form.whole, 0, form.head ? 255 : 0x7f);
}

/* What reads a number looks back from its end, 9 bytes or 17, over as many of the event as there surely are: `event`
 * before it. */
static bool fits(const struct shape *shape, const struct shape_member *member, size_t event)
{
    const struct shape_form form = member->form;
    const size_t digits = form.whole + (form.behind ? form.behind - 1u : 0), back = digits > 8 ? 17 : 9;
    return digits && (!shape->json || event + form.whole + form.behind >= back);
}

/* Of the runs before. */
struct totals {
    uint8_t runs, pairs, extras;
};

static void put_in_pair(struct layout_pair *pair, int place, const struct shape_member *member, uint32_t run)
{
    pair->digits[place] = member->digits[0];
    pair->point[place] = member->point[0];
    pair->tens[place] = member->tens;
    pair->least[place] = member->least;
    pair->most[place] = member->most;
    pair->end[place] = (uint16_t)(member->end - run);
}

/* The members from `first` on have values that are laid out, but for the last, `stop`. */
static void close_run(struct shape *shape, uint32_t first, uint32_t stop, struct totals *totals)
{
    const uint16_t laid = shape->at[first].laid;
    struct layout_pair *pairs = &shape->pairs[totals->pairs], *pair = pairs;
    struct layout_extra *extras = &shape->extras[totals->extras], *extra = extras;
    const struct shape_member *open = NULL;
    for (uint32_t i = first; i < stop; i++) {
        struct shape_member *member = &shape->at[i];
        if (!member->metric || member->wide) {
            *extra++ = (struct layout_extra){.member = member, .end = member->end - (uint32_t)laid};
            open = NULL;
        } else if (open && member->number == open->number + sizeof(struct metric)) {
            put_in_pair(pair - 1, 1, member, laid);
            open = NULL;
        } else {
            put_in_pair(pair, 0, member, laid);
            put_in_pair(pair, 1, member, laid);
            pair++->metric = member->number;
            open = member;
        }
    }
    for (uint32_t i = first; i <= stop; i++)
        shape->at[i].stop = (uint16_t)stop;
    totals->pairs += (uint8_t)(pair - pairs);
    totals->extras += (uint8_t)(extra - extras);
    const ptrdiff_t len = shape->at[stop].behind - laid;
    shape->runs[totals->runs++] = (struct layout_run){.least = shape->least + laid,
                                                      .most = shape->most + laid,
                                                      .len = len,
                                                      .stop = &shape->at[stop],
                                                      .ends = shape->at[stop].value == SHAPE_END,
                                                      .text = shape->at[stop].value == SHAPE_TEXT,
                                                      .odd = len > LAYOUT_CHUNK && (len - 1) / LAYOUT_CHUNK % 2 == 1,
                                                      .laid = stop > first,
                                                      .pair = pairs,
                                                      .pair_end = pair,
                                                      .extra = extras,
                                                      .extra_end = extra};
}

void layout_make(struct shape *shape)
{
    uint32_t at = 0, first = 0;
    struct totals totals = {0};
    shape->changed = false;
    shape->made = shape->met;
    size_t event = 0;
    for (uint32_t i = 0; i < shape->count; i++) {
        struct shape_member *member = &shape->at[i];
        member->laid = (uint16_t)at;
        lay_bytes(shape, &at, shape->bytes + member->at, member->len);
        member->behind = (uint16_t)at;
        event += member->len;
        if (fits(shape, member, event)) {
            if (shape->json)
                lay_json(shape, member, &at);
            else
                lay_msgpack(shape, member, &at);
            member->end = (uint16_t)at;
            member->width = (uint8_t)(at - member->behind);
            event += member->width;
            continue;
        }
        member->width = 0;
        close_run(shape, first, i, &totals);
        first = i + 1;
        lay(shape, &at, LAYOUT_CHUNK - 1, 0, 255);
        lay(shape, &at, -at % LAYOUT_CHUNK, 0, 255);
    }
}

bool layout_missed(struct shape *shape, struct shape_member *member)
{
    const uint32_t since = shape->met - member->missed;
    const uint32_t left = member->misses > since ? member->misses - since : 0;
    member->missed = shape->met;
    member->misses = (uint8_t)(left + MISS);
    if (since != 1)
        member->times = 0;
    if (member->misses > MISSES_MAX) {
        member->form = member->other = no_form;
        member->times = member->misses = 0;
        member->look = shape->met + LAYOUT_REST;
        shape->changed = true;
        return false;
    }
    return since == 1;
}

void layout_look(struct shape *shape, struct shape_member *member, struct shape_form form)
{
    if (!same_form(form, member->other)) {
        member->other = form;
        member->times = 0;
    }
    if (++member->times < LAYOUT_TIMES)
        return;
    member->times = 0;
    member->lengthy = form.whole == 0;
    if (!form.whole)
        member->look = shape->met + LAYOUT_REST;
    if (same_form(form, member->form))
        return;
    member->form = form;
    shape->changed = true;
}

void layout_renew(struct shape *shape)
{
    if (shape->met - shape->made >= LAYOUT_TIMES)
        layout_make(shape);
}

bool layout_same_end(const struct layout_run *run, const unsigned char *at, ptrdiff_t left)
{
    for (ptrdiff_t i = 0; i < run->len; i++) {
        if (i == left || (signed char)(at[i] - run->least[i]) > (signed char)run->most[i])
            return false;
    }
    return true;
}

/* The first byte of a chunk that differs. */
static uint32_t first_of(layout_order differs)
{
    uint64_t word[2];
    memcpy(word, &differs, sizeof word);
    const int i = word[0] == 0;
    return (uint32_t)(8 * i + __builtin_ctzll(le64toh(word[i])) / 8);
}

/* The first of `len` bytes that is not as laid out from `from` on, where `left` are there; len: none. */
static uint32_t differs_at(const struct shape *shape, uint32_t from, uint32_t len, const unsigned char *at, size_t left)
{
    const unsigned char *least = shape->least + from, *most = shape->most + from;
    uint32_t i = 0;
    for (; i < len && left - i >= LAYOUT_CHUNK; i += LAYOUT_CHUNK) {
        const layout_order differs = layout_chunk(least + i, most + i, at + i);
        if (!layout_none(differs))
            return i + first_of(differs) < len ? i + first_of(differs) : len;
    }
    if (i < len && len <= left && len >= LAYOUT_CHUNK) {
        i = len - LAYOUT_CHUNK;
        const layout_order differs = layout_chunk(least + i, most + i, at + i);
        return layout_none(differs) ? len : i + first_of(differs);
    }
    while (i < len && i < left && (signed char)(at[i] - least[i]) <= (signed char)most[i])
        i++;
    return i < len ? i : len;
}

/* The member whose value, or what stands right behind it, is not as laid out at `differs`, where all from `first` on
 * is; NULL: it is no value. */
static struct shape_member *member_at(struct shape_member *first, uint32_t differs)
{
    for (struct shape_member *member = first;; member++) {
        if (differs < member->behind)
            return differs == member->laid && member != first ? member - 1 : NULL;
        if (differs < member->behind + (uint32_t)member->width)
            return member;
    }
}

struct shape_member *layout_stop(struct shape *shape, struct shape_member *member, const unsigned char *at,
                                 const unsigned char *end)
{
    struct shape_member *stop = &shape->at[member->stop];
    const uint32_t from = member->laid, len = stop->behind - from;
    const uint32_t differs = differs_at(shape, from, len, at, (size_t)(end - at));
    return differs == len ? stop : member_at(member, from + differs);
}
