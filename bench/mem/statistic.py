"""Medians with their uncertainty, and when a difference counts."""

import dataclasses
import functools
import math
import statistics

LEAST_VISITS = 10  # with fewer, an interval says nothing
LEAST_MARGIN = 0.02  # a smaller difference is nobody's win, however sure it is


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A median, and the interval that holds it with 95 % confidence."""

    median: float
    low: float
    high: float
    count: int


@functools.lru_cache(maxsize=None)
def _ranks(count):
    """The ranks (from 0) of the sorted values between which 95 % of the medians of all resamples lie.

    The bootstrap of a median needs no drawing: a resample's median is at most the k-th of n values when at least half
    of its n draws are, each of which is with probability k / n. source: Maritz and Jarrett, "A Note on Estimating the
    Variance of the Sample Median", Journal of the American Statistical Association 73, 1978.
    """
    needed = count // 2 + 1

    def at_most(k):
        return sum(math.comb(count, i) * (k / count) ** i * (1 - k / count) ** (count - i)
                   for i in range(needed, count + 1))

    below = [at_most(k) for k in range(1, count + 1)]
    return (next(k for k, share in enumerate(below) if share >= 0.025),
            next(k for k, share in enumerate(below) if share >= 0.975))


def estimate(values):
    """Of at least one value. The interval is never narrower than the two values that stand beside the median."""
    ordered = sorted(values)
    low, high = _ranks(len(ordered))
    return Estimate(statistics.median(ordered), min(ordered[low], ordered[(len(ordered) - 1) // 2]),
                    max(ordered[high], ordered[len(ordered) // 2]), len(ordered))


def noise_floor(again):
    """From the ratio of one thing to itself: how far from 1 its interval reaches, as a share of 1 and by what factor on
    either side: half as fast is as far as twice as fast. NaN for None."""
    return max(again.high, 1 / again.low) - 1 if again else math.nan


def verdict(ratio, floor):
    """Of a ratio above 1 where the subject is faster: a win or a loss when the interval excludes 1 and the margin around
    it, which is what one thing differs from itself, or 2 %. The margin is a factor on both sides: with 1 less the margin
    on the lower one, nothing could be lost any more where the floor is high, and all be won."""
    if ratio.count < LEAST_VISITS:
        return "too few runs"
    if math.isnan(floor):
        return "no noise floor"
    margin = max(LEAST_MARGIN, floor)
    if ratio.low > 1 + margin:
        return "win"
    return "LOSS" if ratio.high < 1 / (1 + margin) else "inside noise"
