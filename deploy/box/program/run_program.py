"""Runs one program on its own, as the evaluation of a task that has no problem: `run_program.py <mode> <case file>`.

The program passes when it ends with 0; else this ends as it did. What it writes is the output of the stage.
"""
import os
import subprocess
import sys


def main():
    code = subprocess.run([sys.executable, "program.py"]).returncode
    if code < 0:
        os.kill(os.getpid(), -code)
    if code != 0:
        return code
    with open(sys.argv[2]) as file:
        case = file.readline().strip()
    with os.fdopen(int(os.environ["POPCORN_FD"]), "w") as out:
        out.write(f"test-count: 1\ntest.0.spec: {case}\ntest.0.status: pass\ncheck: pass\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
