#include "lib/words.h"

#include <math.h>
#include <stdio.h>

void words_add_text(struct words *self, struct text text)
{
    size_t left = self->room - 1 - self->len;
    if (text.len > left) {
        text.len = left;
        self->cut = true;
    }
    memcpy(self->at + self->len, text.at, text.len);
    self->len += text.len;
    self->at[self->len] = '\0';
}

void words_add_count(struct words *self, uint64_t number)
{
    char text[20], *end = text + sizeof text, *at = end;
    do {
        *--at = (char)('0' + number % 10);
    } while (number /= 10);
    words_add_text(self, (struct text){at, (size_t)(end - at)});
}

/* The integer nearest to size * 10^places, where the product's own error leaves no doubt which that is; else 0. */
static uint64_t scaled(double size, int places)
{
    static const double tens[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    double product = size * tens[places]; /* below 1e9: within 1e-7 */
    uint64_t below = (uint64_t)product;
    double part = product - (double)below;
    return fabs(part - 0.5) < 1e-6 ? 0 : below + (part > 0.5);
}

/* False: left to printf(3). */
static bool add_decimal(struct words *self, double number, int digits)
{
    static const uint64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    double size = fabs(number);
    if (!(size >= 1e-4 && size < (double)tens[digits]))
        return false;
    int whole = 0, zeros = size >= 0.1 ? 0 : size >= 0.01 ? 1 : size >= 0.001 ? 2 : 3;
    while (whole < digits && size >= (double)tens[whole])
        whole++;
    int places = digits + (whole ? -whole : zeros); /* behind the point, so that there are as many digits in all */
    uint64_t all = scaled(size, places);
    if (all < tens[digits - 1] || all >= tens[digits])
        return false;
    char text[32], *end = text + sizeof text, *at = end;
    for (; places > 0 && all % 10 == 0; places--)
        all /= 10;
    for (int i = 0; i < places; i++, all /= 10)
        *--at = (char)('0' + all % 10);
    if (places)
        *--at = '.';
    do {
        *--at = (char)('0' + all % 10);
    } while (all /= 10);
    if (number < 0)
        *--at = '-';
    words_add_text(self, (struct text){at, (size_t)(end - at)});
    return true;
}

void words_add_real(struct words *self, double number, int digits)
{
    char text[32];
    if (add_decimal(self, number, digits))
        return;
    snprintf(text, sizeof text, "%.*g", digits, number);
    words_add(self, text);
}
