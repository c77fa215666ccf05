import torch

from task import input_t, output_t
from utils import DEVICE, random_source, tensor_difference


def generate_input(size: int, seed: int) -> input_t:
    source = random_source(seed)
    data = torch.randn(size, device=DEVICE, generator=source)
    # With elements of one size, a sample would give a good enough sum; rare large ones rule that out.
    large = torch.rand(size, device=DEVICE, generator=source) < 1 / 4096
    data[large] *= 1000
    return data


def check_implementation(data: input_t, output: output_t) -> str:
    exact = data.double().sum()
    tolerance = 1e-5 * float(data.double().abs().sum())
    return tensor_difference(exact.float(), output, rtol=0, atol=tolerance)
