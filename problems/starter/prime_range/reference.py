import random
from math import isqrt

from task import input_t, output_t
from utils import list_difference


def generate_input(lowest: int, length: int, jitter: int, seed: int) -> input_t:
    start = lowest + random.Random(seed).randrange(jitter)
    return start, start + length


def expected(data: input_t) -> output_t:
    """Strikes out, inside the interval, the multiples of every number up to the root of its end."""
    start, stop = data
    alive = [number > 1 for number in range(start, stop)]
    for divisor in range(2, isqrt(max(stop, 1)) + 1):
        first = max(divisor * divisor, -(-start // divisor) * divisor)
        for multiple in range(first, stop, divisor):
            alive[multiple - start] = False
    return [start + offset for offset, prime in enumerate(alive) if prime]


def check_implementation(data: input_t, output: output_t) -> str:
    return list_difference(expected(data), output, int)
