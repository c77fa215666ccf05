#!POPCORN leaderboard convolution
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    images, filters = data
    # Return the convolution of every image with every filter.
    raise NotImplementedError
