#!POPCORN leaderboard word-count
from collections import Counter
from string import ascii_lowercase, ascii_uppercase

from task import input_t, output_t

# Letters to lower case, everything else to a blank.
TABLE = bytes(
    code if chr(code) in ascii_lowercase else code + 32 if chr(code) in ascii_uppercase else 32 for code in range(256)
)


def custom_kernel(data: input_t) -> output_t:
    # One pass in C over the whole text instead of one step of the interpreter for each character.
    text, top = data
    counts = Counter(text.encode().translate(TABLE).decode().split())
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]
