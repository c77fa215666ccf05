"""For the reference files of this set: the device, seeded random numbers, and comparing."""

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def random_source(seed: int) -> torch.Generator:
    """The same seed gives the same numbers on the same kind of device, in whatever process."""
    return torch.Generator(device=DEVICE).manual_seed(seed)


def tensor_difference(expected: torch.Tensor, received: torch.Tensor, rtol: float, atol: float) -> str:
    """Compares element by element: |received - expected| <= atol + rtol * |expected|, in double precision.

    Shape and type must be the same. A NaN never passes. Returns "" or what is wrong.
    """
    if received.dtype != expected.dtype:
        return f"expected type {expected.dtype}, received {received.dtype}"
    if received.shape != expected.shape:
        return f"expected shape {tuple(expected.shape)}, received {tuple(received.shape)}"
    want, have = expected.double(), received.double()
    # `not (<=)` instead of `>`: a comparison with NaN is false, which must count as wrong.
    wrong = ~((have - want).abs() <= atol + rtol * want.abs())
    count = int(wrong.sum())
    if count == 0:
        return ""
    at = tuple(wrong.nonzero()[0].tolist())
    place = ", ".join(map(str, at))
    return (
        f"{count} of {expected.numel()} elements are wrong; the first is [{place}]: "
        f"expected {float(want[at]):.6g}, received {float(have[at]):.6g}"
    )
