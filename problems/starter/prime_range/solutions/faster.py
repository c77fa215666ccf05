#!POPCORN leaderboard prime-range
from itertools import compress
from math import isqrt

from task import input_t, output_t


def sieve(size: int) -> bytearray:
    flags = bytearray([1]) * size
    flags[:2] = bytes(min(size, 2))
    for number in range(2, isqrt(max(size - 1, 0)) + 1):
        if flags[number]:
            flags[number * number :: number] = bytes(len(range(number * number, size, number)))
    return flags


def custom_kernel(data: input_t) -> output_t:
    # Slice assignment strikes out all multiples of a prime at once, in C.
    start, stop = data
    root = isqrt(max(stop, 1))
    flags = bytearray([1]) * (stop - start)
    for number in range(start, min(stop, 2)):
        flags[number - start] = 0
    for prime in compress(range(root + 1), sieve(root + 1)):
        first = max(prime * prime, -(-start // prime) * prime)
        if first < stop:
            flags[first - start :: prime] = bytes(len(range(first, stop, prime)))
    return list(compress(range(start, stop), flags))
