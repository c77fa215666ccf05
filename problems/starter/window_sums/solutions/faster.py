#!POPCORN leaderboard window-sums
from itertools import accumulate
from operator import sub

from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    # A window is the difference of two running totals, whatever its width.
    values, width = data
    totals = list(accumulate(values, initial=0))
    return list(map(sub, totals[width:], totals))
