#!/usr/bin/python3
"""What `ashlar tune` makes of its samples: no advice from noise, the right one from a difference; and the medians and
intervals that the command tells."""

import os
import random
import statistics
import subprocess

from lib.tap import BUILD, is_equal, main, story

JUDGED = os.path.join(BUILD, "tests/cli/judged")
NEVER = "-1"  # SIZE_MAX
ALL = 1 << 30
MIB = 1 << 20
PAST = 16 * MIB  # judged.c looks at copies past the caches from here on


def judged(*words, numbers=()):
    done = subprocess.run([JUDGED, *map(str, words)], input=" ".join(map(repr, numbers)), capture_output=True, text=True,
                          check=True, timeout=60)
    return done.stdout.splitlines()


def advice(*changes, rounds=11, noise=0.02, seed=1):
    """(level, copy, set) for made-up times."""
    return tuple(judged("sweep", rounds, noise, seed, *changes)[0].split())


def settings(*changes):
    """(ASHLAR_CONF, line with GLIBC_TUNABLES) for made-up times; "" is none."""
    told = judged("sweep", 11, 0.02, 1, *changes)
    return told[1], "".join(told[2:])


KEPT = ("auto", "kept", "kept")


@story
def nothing_is_advised_where_all_ways_are_the_same():
    for rounds, noise in ((11, 0.01), (11, 0.05), (11, 0.2), (20, 0.05), (48, 0.05)):
        wrong = [seed for seed in range(1, 41) if advice(rounds=rounds, noise=noise, seed=seed) != KEPT]
        assert len(wrong) <= 2, (rounds, noise, wrong)


@story
def too_few_rounds_say_nothing():
    is_equal(advice("string:copy:4096:1000000000:0.5", rounds=10), KEPT)


@story
def string_instruction_is_taken_where_it_is_faster():
    slow = ("string:copy:1:4096:1.5", "string:copy:4096:1000000000:0.8")
    for rounds, noise in ((11, 0.01), (11, 0.04), (48, 0.1)):
        is_equal(advice(*slow, rounds=rounds, noise=noise), ("auto", f"4096-{NEVER}/{NEVER}", "kept"),
                 str((rounds, noise)))
    is_equal(advice("string:set:4096:65536:0.7", "string:set:65536:1000000000:1.3"), ("auto", "kept", "4096-65536"))


@story
def default_that_repeats_too_early_is_told_to_loop():
    changes = [f"{variant}:copy:1024:1000000000:1.4" for variant in ("string", "default", "again")]
    is_equal(advice(*changes), ("auto", f"{NEVER}-{NEVER}", "kept"))


@story
def what_is_faster_here_and_slower_there_is_not_advised():
    is_equal(advice("string:copy:4096:8192:0.7", "default:copy:4096:1000000000:1.3", "string:copy:8192:1000000000:0.9",
                    "default:copy:8192:16384:0.5", "nt:copy:4096:1000000000:1.3")[1], "kept")


@story
def level_is_changed_where_its_loops_are_faster():
    every = [f"avx2:{operation}:1:1000000000:0.8" for operation in ("copy", "set")]
    is_equal(advice(*every)[0], "avx2")
    is_equal(advice(*every, "avx2:set:512:1024:1.6")[0], "auto", "one size is slower")
    is_equal(advice(*(word.replace("0.8", "0.99") for word in every))[0], "auto", "1 % is nothing")


def takes(names, start, end, factor):
    """These ways of copying take so much longer from `start` bytes on and below `end`."""
    return [f"{name}:copy:{start}:{end}:{factor}" for name in names.split()]


LOOPS = f"{NEVER}-{NEVER}"


@story
def copies_go_past_the_caches_from_where_that_is_faster():
    for rounds, noise in ((11, 0.01), (11, 0.04), (48, 0.1)):
        is_equal(advice(*takes("nt", 2 * PAST, ALL, 0.6), rounds=rounds, noise=noise)[1], f"kept/{2 * PAST}")
    string = takes("string default again", 4096, ALL, 0.8)
    is_equal(advice(*string, *takes("nt", 2 * PAST, ALL, 0.6))[1], f"kept/{2 * PAST}", "after the string instruction")
    is_equal(advice(*string, *takes("nt", 2 * PAST, ALL, 0.9))[1], "kept", "that is faster than loops only")


@story
def copies_whose_readers_would_pay_are_not_looked_at():
    is_equal(advice(*takes("nt", 1, PAST, 0.5)), KEPT)
    is_equal(advice(*takes("nt", 1, PAST, 0.5), *takes("string", 4096, PAST, 0.8))[1], f"4096-{NEVER}")


@story
def copies_that_are_slower_past_the_caches_at_a_larger_size_stay():
    mixed = takes("nt", PAST, 8 * PAST, 0.6)
    is_equal(advice(*mixed, *takes("nt", 16 * PAST, ALL, 1.4)), KEPT, "slower at the largest")
    is_equal(advice(*mixed, *takes("nt", 4 * PAST, 8 * PAST, 3), *takes("nt", 8 * PAST, ALL, 0.6))[1],
             f"kept/{8 * PAST}", "slower in between")


@story
def default_that_is_slower_past_the_caches_is_told_not_to():
    is_equal(advice(*takes("nt default again", 4 * PAST, ALL, 1.4))[1], f"{LOOPS}/{NEVER}")
    early = [*takes("nt default again", 4 * PAST, 8 * PAST, 1.4), *takes("nt default again", 8 * PAST, ALL, 0.6)]
    is_equal(advice(*early)[1], f"{LOOPS}/{8 * PAST}", "it begins too early")
    is_equal(advice(*takes("nt", 1, ALL, 1.4)), KEPT, "it does not do so")


@story
def advice_holds_where_it_is_not_known_whether_copies_go_past_the_caches():
    # The default goes past the caches, well and then badly: for all that is advised it goes on to.
    default = [*takes("nt default again", 4 * PAST, 16 * PAST, 0.6), *takes("nt default again", 16 * PAST, ALL, 1.4)]
    is_equal(advice(*default), KEPT)
    is_equal(advice(*default, *takes("string", 4096, ALL, 0.8))[1], f"4096-{NEVER}")
    # It has the string instruction instead, and would lose that.
    string = [*takes("string", 4096, 65536, 0.7), *takes("string default again", 65536, MIB, 1.4)]
    is_equal(advice(*string)[1], "4096-65536")
    string += takes("string default again", 2 * PAST, ALL, 0.7)
    is_equal(advice(*string)[1], "kept")
    string += takes("nt", 2 * PAST, ALL, 0.4)
    is_equal(advice(*string)[1], f"4096-65536/{2 * PAST}", "something better comes instead")


@story
def settings_name_every_byte_of_a_bound():
    is_equal(settings(), ("", ""))
    is_equal(settings("avx2:copy:1:1000000000:0.8", "avx2:set:1:1000000000:0.8", "string:copy:512:1000000000:0.6",
                      "string:set:2048:2097152:0.6", f"nt:copy:{2 * PAST}:{ALL}:0.3"),
             ("mem_level:avx2,mem_copy_rep_min:512,mem_copy_rep_max:off,mem_copy_nt_min:32M,"
              "mem_set_rep_min:2K,mem_set_rep_max:2M",
              "for libc's own, not measured: GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=512:"
              "glibc.cpu.x86_non_temporal_threshold=33554432:glibc.cpu.x86_rep_stosb_threshold=2048"))
    is_equal(settings(*takes("nt", 2 * PAST, ALL, 0.3))[0], "mem_copy_nt_min:32M")
    is_equal(settings(*takes("nt default again", 4 * PAST, ALL, 1.4)),
             ("mem_copy_rep_min:off,mem_copy_rep_max:off,mem_copy_nt_min:off", ""))


@story
def intervals_are_those_of_many_resamples():
    dice = random.Random(1)
    for count in (5, 11, 40):
        values = [dice.lognormvariate(0, 0.2) for _ in range(count)]
        median, low, high, p99 = map(float, judged("median", numbers=values)[0].split())
        medians = sorted(statistics.median(dice.choices(values, k=count)) for _ in range(4000))
        spread = max(values) - min(values)
        is_equal(median, statistics.median(values))
        assert low <= median <= high and p99 <= max(values), (low, median, high, p99)
        assert abs(low - medians[100]) < 0.15 * spread and abs(high - medians[3899]) < 0.15 * spread, (low, high, count)
    is_equal(judged("median", numbers=[3.0] * 7), ["3 3 3 3"])


main()
