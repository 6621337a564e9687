#include "lib/calibrate/quadrature.h"

#include <math.h>

#define NEWTON_STEPS 100

void quadrature_legendre(uint32_t n, double low, double high, double *nodes, double *weights)
{
    double centre = 0.5 * (low + high), half = 0.5 * (high - low);
    for (uint32_t i = 0; i < (n + 1) / 2; i++) {
        double x = cos(M_PI * ((double)i + 0.75) / ((double)n + 0.5));
        double slope = 1;
        for (int step = 0; step < NEWTON_STEPS; step++) {
            double before = 1, value = x;
            for (uint32_t k = 2; k <= n; k++) {
                double next = ((2.0 * k - 1) * x * value - (k - 1.0) * before) / k;
                before = value;
                value = next;
            }
            slope = n * (x * value - before) / (x * x - 1);
            double move = value / slope;
            x -= move;
            if (fabs(move) < 1e-15)
                break;
        }
        double weight = 2 / ((1 - x * x) * slope * slope);
        nodes[i] = centre - half * x;
        nodes[n - 1 - i] = centre + half * x;
        weights[i] = weights[n - 1 - i] = half * weight;
    }
}

double normal_density(double x)
{
    return 0.39894228040143267794 * exp(-0.5 * x * x);
}

double normal_below(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

double normal_above(double x)
{
    return 0.5 * erfc(x * M_SQRT1_2);
}

double normal_between(double a, double b)
{
    return a > 0 ? normal_above(a) - normal_above(b) : normal_below(b) - normal_below(a);
}
