#!POPCORN leaderboard edit-distance
from task import input_t, output_t


def distance(first: str, second: str) -> int:
    # A column of the table is kept as two big integers, a bit a row: where it rises by one from the row above and
    # where it falls. One column then costs a dozen integer operations, however long the strings are.
    if not first:
        return len(second)
    rows = len(first)
    mask = (1 << rows) - 1
    last = 1 << (rows - 1)
    where: dict = {}
    for row, char in enumerate(first):
        where[char] = where.get(char, 0) | 1 << row
    rises, falls, score = mask, 0, rows
    for char in second:
        same = where.get(char, 0)
        diagonal = ((((same & rises) + rises) ^ rises) | same | falls) & mask
        right_up = falls | (~(diagonal | rises) & mask)
        right_down = rises & diagonal
        if right_up & last:
            score += 1
        elif right_down & last:
            score -= 1
        right_up = (right_up << 1 | 1) & mask
        right_down = right_down << 1 & mask
        rises = right_down | (~(diagonal | right_up) & mask)
        falls = right_up & diagonal
    return score


def custom_kernel(data: input_t) -> output_t:
    return [distance(first, second) for first, second in data]
