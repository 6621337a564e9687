#include "lib/calibrate/recursion.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/calibrate/absorb.h"
#include "lib/calibrate/quadrature.h"

#define NODES_LEAST 16
#define NODES_MOST 400
#define NODES_A_DEVIATION 3.0 /* nodes for each deviation of a step: errors stay below one in 10^6 */
#define TAIL_NODES 10
#define TAIL_SQUARE 40.0 /* the density falls by exp(-20) over what is looked at of a tail */

static double centre_from(const struct recursion *self, double s)
{
    return self->keep * s + self->take * self->shift - self->slack;
}

static double deviation(const struct recursion *self)
{
    return self->take * self->scale;
}

/* One row of the chain: where it goes from s, and with what probability it leaves. */
static double fill_row(const struct recursion *self, double s, double *row)
{
    double centre = centre_from(self, s), sd = deviation(self);
    for (uint32_t j = 0; j < self->n; j++)
        row[j] = self->weights[j] / sd * normal_density((self->nodes[j] - centre) / sd);
    double leave = normal_above((self->high - centre) / sd);
    double below = normal_below((self->low - centre) / sd);
    if (self->held)
        row[self->n] = below;
    else
        leave += below;
    return leave;
}

int recursion_solve(struct recursion *self)
{
    double wide = (self->high - self->low) / deviation(self);
    double wanted = NODES_LEAST + ceil(NODES_A_DEVIATION * wide);
    self->n = wanted < NODES_MOST ? (uint32_t)wanted : NODES_MOST;
    self->states = self->n + (self->held ? 1 : 0);
    size_t n = self->n, states = self->states;
    double *memory = malloc(sizeof(double) * (3 * n + states * states + 3 * states));
    if (!memory)
        return -ENOMEM;
    self->memory = memory;
    self->nodes = memory;
    self->weights = self->nodes + n;
    self->move = self->weights + n;
    self->leave = self->move + states * states;
    self->pivot = self->leave + states;
    self->length = self->pivot + states;
    self->barycentric = self->length + states;
    quadrature_legendre(self->n, self->low, self->high, self->nodes, self->weights);
    double half = 0.5 * (self->high - self->low), middle = 0.5 * (self->high + self->low);
    for (uint32_t j = 0; j < n; j++) {
        double x = (self->nodes[j] - middle) / half;
        self->barycentric[j] = sqrt((1 - x * x) * self->weights[j]) * (j % 2 ? -1 : 1);
    }
    for (uint32_t i = 0; i < states; i++) {
        double s = i < n ? self->nodes[i] : self->low;
        self->leave[i] = fill_row(self, s, self->move + (size_t)i * states);
        self->length[i] = 1;
    }
    absorb_factor(self->states, self->move, self->leave, self->pivot);
    absorb_solve(self->states, self->move, self->pivot, self->length);
    return 0;
}

double recursion_length(const struct recursion *self, double s)
{
    if (self->held && s <= self->low)
        return self->length[self->n];
    double centre = centre_from(self, s), sd = deviation(self);
    double sum = 1;
    for (uint32_t j = 0; j < self->n; j++)
        sum += self->weights[j] / sd * normal_density((self->nodes[j] - centre) / sd) * self->length[j];
    if (self->held)
        sum += normal_below((self->low - centre) / sd) * self->length[self->n];
    return sum;
}

/* Barycentric interpolation at Gauss-Legendre nodes: weights (-1)^j sqrt((1 - x_j^2) w_j) (Wang and Xiang 2012). It
 * needs no exponential, unlike recursion_length(). */
static double interpolated(const struct recursion *self, double s)
{
    double above = 0, below = 0, close = 1e-13 * (self->high - self->low);
    for (uint32_t j = 0; j < self->n; j++) {
        double apart = s - self->nodes[j];
        if (fabs(apart) < close)
            return self->length[j];
        double weight = self->barycentric[j] / apart;
        above += weight * self->length[j];
        below += weight;
    }
    return above / below;
}

/* What is gained by stopping at `edge` instead of going anywhere between it and `end`: the differences of run lengths,
 * weighted; differences, because the run lengths themselves would cancel. */
static double tail_gain(const struct recursion *self, double centre, double edge, double end)
{
    double nodes[TAIL_NODES], weights[TAIL_NODES], sum = 0, sd = deviation(self), from = interpolated(self, edge);
    double apart = (edge - centre) / sd, reach = sd * sqrt(apart * apart + TAIL_SQUARE);
    double far = edge < end ? fmin(end, centre + reach) : fmax(end, centre - reach);
    quadrature_legendre(TAIL_NODES, fmin(edge, far), fmax(edge, far), nodes, weights);
    for (int i = 0; i < TAIL_NODES; i++)
        sum += weights[i] / sd * normal_density((nodes[i] - centre) / sd) * (from - interpolated(self, nodes[i]));
    return sum;
}

static double gain_at(const struct recursion *self, double s, double cut)
{
    double centre = centre_from(self, s), sd = deviation(self), gain = 0;
    double top = self->keep * s + self->take * cut - self->slack;
    double bottom = self->keep * s - self->take * cut - self->slack;
    if (top < self->high && top > self->low)
        gain += tail_gain(self, centre, top, self->high) +
                normal_above((self->high - centre) / sd) * interpolated(self, top);
    if (bottom > self->low && bottom < self->high)
        gain += tail_gain(self, centre, bottom, self->low) +
                normal_below((self->low - centre) / sd) *
                    (interpolated(self, bottom) - (self->held ? self->length[self->n] : 0));
    return gain;
}

int recursion_winsor_gain(const struct recursion *self, double s, double cut, double *out)
{
    double *gain = malloc(sizeof(double) * self->states);
    if (!gain)
        return -ENOMEM;
    for (uint32_t i = 0; i < self->states; i++)
        gain[i] = gain_at(self, i < self->n ? self->nodes[i] : self->low, cut);
    absorb_solve(self->states, self->move, self->pivot, gain);
    if (self->held && s <= self->low) {
        *out = gain[self->n];
    } else {
        double centre = centre_from(self, s), sd = deviation(self), sum = gain_at(self, s, cut);
        for (uint32_t j = 0; j < self->n; j++)
            sum += self->weights[j] / sd * normal_density((self->nodes[j] - centre) / sd) * gain[j];
        if (self->held)
            sum += normal_below((self->low - centre) / sd) * gain[self->n];
        *out = sum;
    }
    free(gain);
    return 0;
}

void recursion_free(struct recursion *self)
{
    free(self->memory);
    self->memory = NULL;
}
