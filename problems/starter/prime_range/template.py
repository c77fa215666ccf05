#!POPCORN leaderboard prime-range
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    start, stop = data
    # Return every prime p with start <= p < stop, in rising order.
    raise NotImplementedError
