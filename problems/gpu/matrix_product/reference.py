import torch

from task import input_t, output_t
from utils import DEVICE, random_source, tensor_difference


def generate_input(m: int, n: int, k: int, seed: int) -> input_t:
    source = random_source(seed)
    a = torch.randn(m, k, device=DEVICE, generator=source).half()
    b = torch.randn(k, n, device=DEVICE, generator=source).half()
    return a, b


def check_implementation(data: input_t, output: output_t) -> str:
    a, b = data
    product = (a.float() @ b.float()).half()
    return tensor_difference(product, output, rtol=2e-3, atol=2e-3 * a.shape[1] ** 0.5)
