#!POPCORN leaderboard prefix-sum
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    # Return the running sums as int32.
    raise NotImplementedError
