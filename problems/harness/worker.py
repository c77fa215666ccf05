"""The half of an evaluation that runs the submission. judge.py describes the conversation.

Nothing that this process says is believed without a check by the judge, because the submission shares it.
"""

from __future__ import annotations

import pickle
import sys
import traceback

ENTRY_POINT = "custom_kernel"
ERROR_CHARS = 2000


def describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:ERROR_CHARS]
    except BaseException:
        return type(error).__name__


def load_submission():
    """Imports the submission and returns its entry point. Everything the timing needs must be imported before."""
    import submission

    kernel = getattr(submission, ENTRY_POINT, None)
    if not callable(kernel):
        raise AttributeError(f"it defines no function {ENTRY_POINT}(data)")
    return kernel


def serve(line, make_bench) -> None:
    """Answers the judge until it hangs up. `make_bench()` imports the submission and returns an object with load,
    go, output and profile; each gets the judge's message without its `op` and returns the fields of the reply.
    """
    dumps, send_bytes, receive = pickle.dumps, line.send_bytes, line.recv

    def guarded(action, *args, **fields):
        try:
            return action(*args, **fields)
        except BaseException as error:
            # The participant reads this as the program's standard error.
            traceback.print_exc()
            return {"error": describe(error)}

    bench = guarded(make_bench)
    broken = None
    if isinstance(bench, dict):
        broken = {"error": f"submission.py could not be loaded: {bench['error']}"}
    while True:
        try:
            message = receive()
        except (EOFError, OSError):
            return
        action = getattr(bench, message.pop("op"), None)
        reply = broken or guarded(action, **message)
        sys.stdout.flush()
        send_bytes(dumps(reply, protocol=5))
        raw = None if broken else bench.take_raw()
        if raw is not None:
            send_bytes(raw)
