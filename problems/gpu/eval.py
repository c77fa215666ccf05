"""Evaluates a submission that turns torch tensors into one torch tensor. See judge.py for how it works.

    python3 eval.py test|benchmark|leaderboard|profile <case file>      (results go to the pipe POPCORN_FD)

Judge and worker both make the input from its seed, each on its own, so that no large input travels. The output
travels as raw bytes and is compared in the judge. Without a GPU everything runs on the CPU, by the CPU's clock.
"""

from __future__ import annotations

import math
import os
import sys
import time

import judge
import worker

# A case ends at whichever comes first.
LIMITS = {
    "benchmark": judge.Limits(runs=100, measured_s=5, wall_s=20, relative_error=0.002),
    "leaderboard": judge.Limits(runs=200, measured_s=10, wall_s=40, relative_error=0.001),
}

# Larger than any last-level cache of the GPUs in use, so that no input is still in it when the clock starts.
FLUSH_BYTES = 512 * 1024 * 1024
# Waiting for a device that is already idle takes a few microseconds; what takes longer was work.
IDLE_SYNC_NS = 30_000
DTYPES = frozenset(
    {"float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"}
)


class Bench:
    def __init__(self):
        import torch

        import reference

        self.torch = torch
        self.generate = reference.generate_input
        self.clock_ns = time.perf_counter_ns
        self.tensor_type = torch.Tensor
        self.on_gpu = torch.cuda.is_available()
        self.raw = self.data = self.result = None
        if self.on_gpu:
            self.synchronize = torch.cuda.synchronize
            self.event = torch.cuda.Event
            self.flush = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")
        self.kernel = worker.load_submission()

    def load(self, args):
        self.result = None
        self.data = self.generate(**args)
        if self.on_gpu:
            self.flush.zero_()
            self.synchronize()
        return {}

    def go(self):
        return {"ns": self.time_on_gpu() if self.on_gpu else self.time_on_cpu()}

    def time_on_cpu(self):
        kernel, data, clock_ns = self.kernel, self.data, self.clock_ns
        start = clock_ns()
        self.result = kernel(data)
        return clock_ns() - start

    def time_on_gpu(self):
        kernel, data, synchronize, clock_ns = self.kernel, self.data, self.synchronize, self.clock_ns
        begin, end = self.event(enable_timing=True), self.event(enable_timing=True)
        begin.record()
        self.result = kernel(data)
        end.record()
        end.synchronize()
        # The events see their own queue alone. Work that was put elsewhere and outlives them counts as well.
        start = clock_ns()
        synchronize()
        rest = clock_ns() - start
        ns = begin.elapsed_time(end) * 1e6
        return ns + rest if rest > IDLE_SYNC_NS else ns

    def output(self):
        torch, result, self.result = self.torch, self.result, None
        if type(result) is not self.tensor_type:
            return {"error": f"return one torch.Tensor, not {type(result).__name__}"}
        dtype = str(result.dtype).rpartition(".")[2]
        if dtype not in DTYPES or result.layout != torch.strided:
            return {"error": f"an output of type {result.dtype}, {result.layout} cannot be compared"}
        on_device = result.device.type
        # Through the class: an instance can carry methods of its own that do the work late.
        flat = torch.Tensor.detach(result).reshape(-1).contiguous().cpu().view(torch.uint8)
        self.raw = memoryview(flat.numpy())
        return {"dtype": dtype, "shape": list(result.shape), "device": on_device}

    def take_raw(self):
        raw, self.raw = self.raw, None
        return raw

    def profile(self):
        torch = self.torch
        # A profiler of the machine watches, and PyTorch's own would be in its way: it looks for this range.
        if self.on_gpu and "1" in (os.environ.get("POPCORN_NCU"), os.environ.get("GPU_DUMP_CODE_OBJECT")):
            with torch.cuda.nvtx.range("custom_kernel"):
                self.kernel(self.data)
                self.synchronize()
            return {"report": ""}
        from torch.profiler import ProfilerActivity
        from torch.profiler import profile as record

        kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if self.on_gpu else [])
        with record(activities=kinds) as profiler:
            self.kernel(self.data)
            if self.on_gpu:
                self.synchronize()
        if os.path.isdir(os.environ.get("HOTLAP_PROFILE_DIR", "")):
            profiler.export_chrome_trace(os.path.join(os.environ["HOTLAP_PROFILE_DIR"], "trace.json"))
        order = "self_cuda_time_total" if self.on_gpu else "self_cpu_time_total"
        return {"report": profiler.key_averages().table(sort_by=order, row_limit=40)}


def run_worker(line):
    worker.serve(line, Bench)


class Problem:
    """What the judge knows of the problem: how to make, fetch and check."""

    # Launches, driver calls and two messages; waiting on a device also spins a CPU.
    unseen_ns_per_run = 5_000_000

    def __init__(self):
        import torch

        import reference

        self.torch = torch
        self.generate, self.check = reference.generate_input, reference.check_implementation

    def prepare(self, args):
        data = self.generate(**args)
        if self.torch.cuda.is_available():
            # The judge must not be at work on the device while the worker's clock runs.
            self.torch.cuda.synchronize()
        return data, {"args": args}

    def fetch(self, process):
        torch = self.torch
        head = process.ask(op="output")
        raw = process.receive_bytes()
        dtype, shape, device = head.get("dtype"), head.get("shape"), head.get("device")
        if dtype not in DTYPES or type(shape) is not list or not all(type(n) is int and n >= 0 for n in shape):
            raise judge.Rejected("the process that runs the submission broke its protocol")
        kind = getattr(torch, dtype)
        if math.prod(shape) * kind.itemsize != len(raw):
            raise judge.Rejected("the process that runs the submission broke its protocol")
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
        if device != wanted:
            raise judge.Rejected(f"the output is on {device}, it must be on {wanted}")
        if not raw:
            return torch.empty(shape, dtype=kind, device=wanted)
        return torch.frombuffer(bytearray(raw), dtype=kind).reshape(shape).to(wanted)


if __name__ == "__main__":
    sys.exit(judge.main(sys.argv, Problem, run_worker, LIMITS))
