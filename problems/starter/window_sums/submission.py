#!POPCORN leaderboard window-sums
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    values, width = data
    sums = []
    for start in range(len(values) - width + 1):
        total = 0
        for value in values[start : start + width]:
            total += value
        sums.append(total)
    return sums
