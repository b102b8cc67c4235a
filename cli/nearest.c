/* nearest.c: "did you mean ...?" */
#include "nearest.h"

#include <string.h>

enum { LETTERS = 32, FARTHEST = 2 };

static unsigned smaller(unsigned a, unsigned b) { return a < b ? a : b; }

/* Steps from `a` to `b`; more than FARTHEST for names that are too long to be one of ours. */
static unsigned distance(const char *a, const char *b)
{
    unsigned steps[LETTERS + 1][LETTERS + 1]; /* steps[i][j]: from the first i letters of a to the first j of b */
    const size_t a_length = strlen(a);
    const size_t b_length = strlen(b);

    if (a_length > LETTERS || b_length > LETTERS)
        return FARTHEST + 1;
    for (size_t i = 0; i <= a_length; i++) {
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                steps[i][j] = (unsigned)(i + j);
                continue;
            }
            steps[i][j] =
                smaller(smaller(steps[i - 1][j], steps[i][j - 1]) + 1, steps[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                steps[i][j] = smaller(steps[i][j], steps[i - 2][j - 2] + 1);
        }
    }
    return steps[a_length][b_length];
}

const char *nearest_name(const char *wrong, const char *const names[], size_t count)
{
    const char *nearest = NULL;
    unsigned least = FARTHEST + 1;

    for (size_t i = 0; i < count; i++) {
        const unsigned steps = distance(wrong, names[i]);
        if (steps < least && steps < strlen(names[i])) {
            least = steps;
            nearest = names[i];
        }
    }
    return nearest;
}
