#!POPCORN leaderboard rgb-to-gray
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    # Return 0.299 * red + 0.587 * green + 0.114 * blue.
    raise NotImplementedError
