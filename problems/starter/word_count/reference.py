import random
import re
from string import ascii_lowercase

from task import input_t, output_t
from utils import list_difference

SEPARATORS = [" "] * 12 + ["\n", ", ", ". ", "; ", ": ", "! ", "? ", " - ", "-", "'", ' "', '" ', " (", ") ", " 42 ", "7"]


def generate_input(words: int, vocabulary: int, top: int, seed: int) -> input_t:
    rng = random.Random(seed)
    known = []
    for _ in range(vocabulary):
        word = "".join(rng.choices(ascii_lowercase, k=rng.randint(2, 9)))
        known += [word, word.capitalize(), word.upper()]
    # Few words are frequent and most are rare, as in any text.
    weights = [scale / (rank + 1) for rank in range(vocabulary) for scale in (8.0, 1.5, 0.5)]
    chosen = rng.choices(known, weights, k=words)
    between = rng.choices(SEPARATORS, k=words)
    return "".join(part for pair in zip(chosen, between) for part in pair), top


def expected(data: input_t) -> output_t:
    text, top = data
    counts: dict = {}
    for word in re.findall("[a-z]+", text.lower()):
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]


def check_implementation(data: input_t, output: output_t) -> str:
    return list_difference(expected(data), output, tuple)
