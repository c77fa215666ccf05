#!POPCORN leaderboard vector-sum
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    # Return the sum, a float32 tensor of shape ().
    raise NotImplementedError
