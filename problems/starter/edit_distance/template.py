#!POPCORN leaderboard edit-distance
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    # Return the edit distance of each (first, second) in data.
    raise NotImplementedError
