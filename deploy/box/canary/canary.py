"""The canary: a small known piece of work that tells whether a box still is what it was.

Run like a submission's evaluation, in the same sandbox: `canary.py <mode> <case file>`, results on POPCORN_FD. It
times a fixed amount of hashing on one core and, for each GPU named in HOTLAP_CANARY_GPUS, a matrix product and a copy
in its memory, and compares the product with the CPU's. Of many repetitions the best counts: noise of a moment does not show
in it, a lowered clock or a failing card does.
"""
import hashlib
import os
import time

CPU_REPEATS = 200
# Short enough to be run without a break on a busy machine now and then.
CPU_BYTES = 512 * 1024
GPU_REPEATS = 30
MATRIX = 4096
COPY_BYTES = 256 * 1024 * 1024
CHECKED = 512


def best_cpu_ns():
    data = bytes(CPU_BYTES)
    best = None
    for _ in range(CPU_REPEATS):
        start = time.perf_counter_ns()
        hashlib.sha256(data).digest()
        spent = time.perf_counter_ns() - start
        best = spent if best is None else min(best, spent)
    return best


def best_gpu_ns(torch, work):
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    best = None
    for _ in range(GPU_REPEATS):
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        spent = begin.elapsed_time(end) * 1e6
        best = spent if best is None else min(best, spent)
    return best


def check_product(torch, device):
    """Whole numbers small enough to be exact in every precision that a card may choose."""
    rows = torch.arange(CHECKED * CHECKED).reshape(CHECKED, CHECKED) % 3
    product = (rows.to(device, torch.float32) @ rows.T.to(device, torch.float32)).cpu().to(torch.int64)
    return torch.equal(product, rows @ rows.T)


def measure_gpus(indexes, say):
    try:
        import torch
    except ImportError:
        say("canary.note", "torch is not installed: the GPUs were not measured")
        return None
    if torch.cuda.device_count() < len(indexes):
        return f"torch sees {torch.cuda.device_count()} GPUs in the sandbox, {len(indexes)} were expected"
    for position, index in enumerate(indexes):
        torch.cuda.set_device(position)
        device = torch.device("cuda", position)
        if not check_product(torch, device):
            return f"GPU {index} computed a wrong product"
        matrix = torch.ones(MATRIX, MATRIX, device=device, dtype=torch.float16)
        source = torch.empty(COPY_BYTES, device=device, dtype=torch.uint8)
        target = torch.empty_like(source)
        for _ in range(3):
            matrix @ matrix
        say(f"canary.gpu.{index}.matmul_ns", best_gpu_ns(torch, lambda: matrix @ matrix))
        say(f"canary.gpu.{index}.copy_ns", best_gpu_ns(torch, lambda: target.copy_(source)))
    return None


def main():
    out = os.fdopen(int(os.environ["POPCORN_FD"]), "w")

    def say(key, value):
        print(f"{key}: {value}", file=out, flush=True)

    say("canary.cpu_ns", best_cpu_ns())
    indexes = [int(text) for text in os.environ.get("HOTLAP_CANARY_GPUS", "").split(",") if text]
    problem = measure_gpus(indexes, say) if indexes else None
    if problem is not None:
        say("canary.problem", problem)
    say("check", "fail" if problem else "pass")


main()
