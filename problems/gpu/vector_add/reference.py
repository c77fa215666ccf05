import torch

from task import input_t, output_t
from utils import DEVICE, random_source, tensor_difference


def generate_input(size: int, seed: int) -> input_t:
    source = random_source(seed)
    a = torch.randn(size, device=DEVICE, generator=source)
    b = torch.randn(size, device=DEVICE, generator=source)
    return a, b


def check_implementation(data: input_t, output: output_t) -> str:
    a, b = data
    return tensor_difference(a + b, output, rtol=1e-6, atol=1e-6)
