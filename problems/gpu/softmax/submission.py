#!POPCORN leaderboard softmax
import torch

from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    largest = data.max(dim=1, keepdim=True).values
    powers = torch.exp(data - largest)
    return powers / powers.sum(dim=1, keepdim=True)
