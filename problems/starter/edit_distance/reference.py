import random
from string import ascii_lowercase

from task import input_t, output_t
from utils import list_difference


def generate_input(pairs: int, length: int, letters: int, seed: int) -> input_t:
    rng = random.Random(seed)
    alphabet = ascii_lowercase[:letters]
    data = []
    for _ in range(pairs):
        first = rng.choices(alphabet, k=length)
        # Some of the pairs are related, some are not; their lengths differ a little.
        second = list(first) if rng.random() < 0.5 else rng.choices(alphabet, k=length)
        for _ in range(rng.randint(0, length // 4 + 1)):
            at = rng.randint(0, len(second))
            second[at : at + rng.randint(0, 1)] = rng.choices(alphabet, k=rng.randint(0, 1))
        data.append(("".join(first), "".join(second)))
    return data


def distance(first: str, second: str) -> int:
    """The textbook table, one row at a time."""
    above = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        left = i
        row = [i]
        diagonal = i - 1
        for b, up in zip(second, above[1:]):
            best = diagonal if a == b else 1 + min(diagonal, up, left)
            row.append(best)
            diagonal, left = up, best
        above = row
    return above[-1]


def check_implementation(data: input_t, output: output_t) -> str:
    return list_difference([distance(first, second) for first, second in data], output, int)
