"""Runs one program on its own, as the evaluation of a task that has no problem: `run_program.py <mode> <case file>`.

The program passes when it ends with 0. What it writes is the output of the stage.
"""
import os
import subprocess
import sys


def main():
    with open(sys.argv[2]) as file:
        case = file.readline().strip()
    code = subprocess.run([sys.executable, "program.py"]).returncode
    passed = code == 0
    with os.fdopen(int(os.environ["POPCORN_FD"]), "w") as out:
        out.write(f"test-count: 1\ntest.0.spec: {case}\n")
        if passed:
            out.write("test.0.status: pass\ncheck: pass\n")
        else:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            out.write(f"test.0.status: fail\ntest.0.error: the program ended {how}\ncheck: fail\n")
    return 0 if passed else 112


if __name__ == "__main__":
    sys.exit(main())
