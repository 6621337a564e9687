#include "lib/config/crossing.h"

#include <stdint.h>
#include <string.h>

#include "lib/wire/utf8.h"

#define SEGMENT_MOST 512

/* One segment of both; each place of the one beside each of the other is looked at once. */
struct crossing {
    struct text a, b;
    uint8_t *seen;
    char *out;
    size_t len;
};

/* The bytes of a character; of what is none, one. */
static size_t character(struct text text, size_t at)
{
    const unsigned char *from = (const unsigned char *)text.at;
    const unsigned bytes = utf8_sequence(from + at, from + text.len);
    return bytes ? bytes : 1;
}

static bool is_at(struct text text, size_t at, char what)
{
    return at < text.len && text.at[at] == what;
}

static void put(struct crossing *self, struct text from, size_t at, size_t bytes)
{
    memcpy(self->out + self->len, from.at + at, bytes);
    self->len += bytes;
}

static bool cross(struct crossing *self, size_t i, size_t j);

/* A character of the one that the other's star takes. */
static bool star_takes(struct crossing *self, bool of_b, size_t i, size_t j)
{
    const struct text text = of_b ? self->b : self->a;
    const size_t at = of_b ? j : i;
    if (at >= text.len || text.at[at] == '*')
        return false;
    const size_t bytes = character(text, at);
    put(self, text, at, bytes);
    return cross(self, of_b ? i : i + bytes, of_b ? j + bytes : j);
}

/* A character that both have. */
static bool both_take(struct crossing *self, size_t i, size_t j)
{
    const struct text a = self->a, b = self->b;
    if (i >= a.len || j >= b.len)
        return false;
    const bool any_a = a.at[i] == '?', any_b = b.at[j] == '?';
    const size_t of_a = any_a ? 1 : character(a, i), of_b = any_b ? 1 : character(b, j);
    if (!any_a && !any_b && (of_a != of_b || memcmp(a.at + i, b.at + j, of_a) != 0))
        return false;
    put(self, any_a ? b : a, any_a ? j : i, any_a ? of_b : of_a);
    return cross(self, i + of_a, j + of_b);
}

static bool cross(struct crossing *self, size_t i, size_t j)
{
    if (i == self->a.len && j == self->b.len)
        return true;
    uint8_t *seen = &self->seen[i * (self->b.len + 1) + j];
    const size_t len = self->len;
    const bool star_a = is_at(self->a, i, '*'), star_b = is_at(self->b, j, '*');
    if (*seen)
        return false;
    *seen = 1;
    if (star_a && star_b)
        put(self, self->a, i, 1);
    if ((star_a && cross(self, i + 1, j)) || (star_b && cross(self, i, j + 1)))
        return true;
    self->len = len;
    if (star_a && star_takes(self, true, i, j))
        return true;
    self->len = len;
    if (star_b && star_takes(self, false, i, j))
        return true;
    self->len = len;
    if (!star_a && !star_b && both_take(self, i, j))
        return true;
    self->len = len;
    return false;
}

/* The next segment of a pattern; what it leaves out is any. */
static struct text next_segment(struct text *rest)
{
    if (!rest->at)
        return text_of("*");
    const char *slash = memchr(rest->at, '/', rest->len);
    const struct text segment = {rest->at, slash ? (size_t)(slash - rest->at) : rest->len};
    *rest = slash ? (struct text){slash + 1, rest->len - segment.len - 1} : (struct text){NULL, 0};
    return segment;
}

bool crossing_model(struct text a, struct text b, struct arena *memory, struct model_id *out)
{
    struct text *segments[] = {&out->project, &out->name, &out->version};
    char *whole = arena_take(memory, 2 * (a.len + b.len) + sizeof "/*/*" * 2, 1);
    size_t length = 0;
    for (int i = 0; i < 3 && whole; i++) {
        struct crossing self = {.a = next_segment(&a), .b = next_segment(&b)};
        if (self.a.len > SEGMENT_MOST || self.b.len > SEGMENT_MOST)
            return false;
        if (i > 0)
            whole[length++] = '/';
        self.out = whole + length;
        self.seen = arena_take(memory, (self.a.len + 1) * (self.b.len + 1), 1);
        if (!self.seen || !cross(&self, 0, 0))
            return false;
        *segments[i] = (struct text){whole + length, self.len};
        length += self.len;
    }
    out->whole = (struct text){whole, length};
    return whole != NULL;
}
