#!POPCORN leaderboard word-count
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    text, top = data
    # Return the most frequent words as a list of (word, count).
    raise NotImplementedError
