#!POPCORN leaderboard window-sums
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    values, width = data
    # Return the list of window sums.
    raise NotImplementedError
