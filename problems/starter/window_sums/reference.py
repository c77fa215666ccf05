import random

from task import input_t, output_t
from utils import list_difference


def generate_input(size: int, width: int, seed: int) -> input_t:
    rng = random.Random(seed)
    return [int(rng.random() * 2_000_001) - 1_000_000 for _ in range(size)], width


def expected(data: input_t) -> output_t:
    """Slides the window: what enters is added, what leaves is taken off."""
    values, width = data
    total = sum(values[:width])
    sums = [total]
    for entering, leaving in zip(values[width:], values):
        total += entering - leaving
        sums.append(total)
    return sums


def check_implementation(data: input_t, output: output_t) -> str:
    return list_difference(expected(data), output, int)
