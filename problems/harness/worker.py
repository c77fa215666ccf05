"""The half of an evaluation that runs the submission. judge.py describes the conversation.

Nothing that this process says is believed without a check by the judge, because the submission shares it.
"""

from __future__ import annotations

import faulthandler
import pickle
import sys
import traceback

ENTRY_POINT = "custom_kernel"
ERROR_CHARS = 2000
TRACE_FRAMES = 30
TRACE_LINE_CHARS = 500
TRACE_HEAD_CHARS, TRACE_TAIL_CHARS = 3000, 5000
STDERR_FD = 2


def describe(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        return name
    return f"{name}: {text}"[:ERROR_CHARS] if text else name


def trace_of(error: BaseException, own_files: set[str]) -> str:
    """The traceback without its outer frames, which are ours and the import system's. Start and end of a long one
    are kept: a failed build says its name first and its cause last."""
    try:
        frames = error.__traceback__
        while frames is not None:
            file = frames.tb_frame.f_code.co_filename
            if file not in own_files and not file.startswith("<frozen importlib"):
                break
            frames = frames.tb_next
        text = "".join(traceback.format_exception(type(error), error, frames, limit=-TRACE_FRAMES))
        lines = [x if len(x) <= TRACE_LINE_CHARS else x[:TRACE_LINE_CHARS] + " [cut]" for x in text.splitlines()]
        text = "\n".join(lines)
    except BaseException:
        return describe(error)
    if len(text) <= TRACE_HEAD_CHARS + TRACE_TAIL_CHARS:
        return text
    return f"{text[:TRACE_HEAD_CHARS]}\n    [cut]\n{text[-TRACE_TAIL_CHARS:]}"


def load_submission():
    """Imports the submission and returns its entry point. Everything the timing needs must be imported before."""
    import submission

    kernel = getattr(submission, ENTRY_POINT, None)
    if not callable(kernel):
        raise ImportError(f"submission.py defines no function {ENTRY_POINT}(data)")
    return kernel


def serve(line, make_bench) -> None:
    """Answers the judge until it hangs up. `make_bench()` imports the submission and returns an object with load,
    go, output and profile; each gets the judge's message without its `op` and returns the fields of the reply. A reply
    with `error` is a refused output, one with `crash` (and `trace`) an exception.
    """
    # Says on stderr in which line a native crash happened.
    faulthandler.enable(STDERR_FD, all_threads=False)
    dumps, send_bytes, receive = pickle.dumps, line.send_bytes, line.recv
    own_files = {load_submission.__code__.co_filename, make_bench.__init__.__code__.co_filename}

    def guarded(action, *args, **fields):
        try:
            return action(*args, **fields)
        except BaseException as error:
            return {"crash": describe(error), "trace": trace_of(error, own_files)}

    bench = guarded(make_bench)
    broken = None
    if isinstance(bench, dict):
        broken = {**bench, "crash": f"submission.py could not be loaded: {bench['crash']}"}
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
