"""A program that ends well on every box that is in order: hashes a known text and, where torch sees GPUs, multiplies on
each and compares with the CPU."""
import hashlib
import sys

EXPECTED = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
SIZE = 512


def main():
    if hashlib.sha256(b"hello world").hexdigest() != EXPECTED:
        return "SHA-256 of a known text came out wrong"
    try:
        import torch
    except ImportError:
        print("The CPU is in order; torch is not installed, so no GPU was looked at.")
        return None
    # Whole numbers small enough to be exact in every precision that a card may choose.
    rows = torch.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 3
    for index in range(torch.cuda.device_count()):
        device = rows.to(f"cuda:{index}", torch.float32)
        if not torch.equal((device @ device.T).cpu().to(torch.int64), rows @ rows.T):
            return f"GPU {index} multiplies wrongly"
    print(f"The CPU and {torch.cuda.device_count()} GPUs are in order.")
    return None


if __name__ == "__main__":
    sys.exit(main())
