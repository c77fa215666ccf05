"""Between a benchmark client that speaks TCP and a server in another room: see serving_bench.py.

Passes bytes on as they come and keeps them with the moment of their coming; only when the client has ended are they read.
`{base_url}` in the command becomes the address to ask.

This file is copied as it is and imports nothing of the runner.
"""
import array
import asyncio
import glob
import json
import os
import socket
import stat
import time

from serving_answer import Answer, Broken, Record

_CHUNK = 1 << 16
_RESULT_BYTES = 64 << 20


class Relay:
    def __init__(self, order, dial):
        self.order = order
        self.dial = dial
        self.started = time.perf_counter()
        self.left = order["most_bytes"]
        self.connections = []

    def clock(self):
        return time.perf_counter() - self.started

    async def run(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096, limit=1 << 20)
        port = server.sockets[0].getsockname()[1]
        command = [word.replace("{base_url}", "http://127.0.0.1:%d" % port) for word in self.order["command"]]
        try:
            child = await asyncio.create_subprocess_exec(*command, cwd=self.order["folder"], stdin=asyncio.subprocess.DEVNULL)
        except OSError as error:
            print("%s: %s" % (command[0], error.strerror), flush=True)
            return None
        code = await child.wait()
        server.close()
        return self.find_result() if code == 0 else None

    def find_result(self):
        files = glob.glob(os.path.join(self.order["folder"], "*.json"))
        newest = max(files, key=os.path.getmtime, default=None)
        if newest is None or os.path.getsize(newest) > _RESULT_BYTES:
            return None
        try:
            with open(newest, encoding="utf-8") as file:
                found = json.load(file)
        except ValueError:
            return None
        # Texts and lists of every request are ours already.
        return {name: value for name, value in found.items() if isinstance(value, (int, float, str))} if isinstance(found, dict) else None

    async def serve(self, reader, writer):
        kept = {"asked": [], "answered": [], "error": None}
        self.connections.append(kept)
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, self.connect)
            far_reader, far_writer = await asyncio.open_connection(sock=found, limit=1 << 20)
            await asyncio.gather(
                self.copy(reader, far_writer, kept["asked"]), self.copy(far_reader, writer, kept["answered"])
            )
        except (OSError, Broken) as error:
            kept["error"] = str(error)
        finally:
            writer.close()

    async def copy(self, source, sink, kept):
        while True:
            data = await source.read(_CHUNK)
            if not data:
                break
            # All of it is kept, so nobody may say what he likes for as long as he likes.
            self.left -= len(data)
            if self.left < 0:
                raise Broken("the answers hold far more than was asked for")
            sink.write(data)
            kept.append((self.clock(), data))
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()

    def connect(self):
        self.dial.send(b"c")
        said, rights, _flags, _address = self.dial.recvmsg(256, socket.CMSG_SPACE(4))
        fds = array.array("i")
        for level, kind, data in rights:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if len(fds) != 1 or said != b"ok" or not stat.S_ISSOCK(os.fstat(fds[0]).st_mode):
            for fd in fds:
                os.close(fd)
            raise Broken("the server takes no connection")
        found = socket.socket(fileno=fds[0])
        found.setblocking(False)
        return found

    def exchanges(self):
        """Of the newest requests, as many as are timed: a client asks once or more before."""
        found = [exchange for kept in self.connections for exchange in self.read(kept)]
        found.sort(key=lambda exchange: exchange["record"]["sent_s"])
        return found[-self.order["count"] :]

    def read(self, kept):
        requests = list(_requests(kept["asked"]))
        answered = iter(kept["answered"])
        rest = []
        for sent_s, body in requests:
            record = Record()
            record.sent_s = sent_s
            is_stream = body is not None and bool(body.get("stream"))
            bounds = {"stream": is_stream, "most_characters": self.order["most_characters"], "most_bytes": 1 << 20}
            answer = Answer(record, bounds, self.clock)
            try:
                rest = _feed(answer, rest, answered)
                if not answer.done:
                    answer.end_of_file()
            except (Broken, ValueError, RecursionError) as error:
                record.error = kept["error"] or str(error)
            if body is not None:
                told = dict(vars(record))
                del told["complete"], told["body"]
                yield {"prompt": str(body.get("prompt")), "record": told}
            if record.error is not None:
                return


def _feed(answer, rest, answered):
    """Gives the answer what is left of the one before, then what came; returns what is left of it."""
    for now, data in rest:
        answer.feed(data, now)
    while not answer.done:
        piece = next(answered, None)
        if piece is None:
            return []
        answer.feed(piece[1], piece[0])
        now = piece[0]
    return [(now, answer.data)] if answer.data else []


def _requests(asked):
    """`(when its first byte came, body)` of each request on one connection; the body is None but of a POST."""
    data, moments = b"", []
    for now, piece in asked:
        moments.append((len(data), now))
        data += piece
    at = 0
    while True:
        head_end = data.find(b"\r\n\r\n", at)
        if head_end < 0:
            return
        head = data[at:head_end].decode("latin-1")
        length = 0
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-length" and value.strip().isdigit():
                length = int(value)
        body = data[head_end + 4 : head_end + 4 + length]
        sent_s = max((now for start, now in moments if start <= at), default=0.0)
        at = head_end + 4 + length
        found = None
        if head.startswith("POST "):
            try:
                found = json.loads(body)
            except ValueError:
                pass
        yield sent_s, found if isinstance(found, dict) else None


def main():
    order_fd, out_fd, dial_fd = (int(text) for text in os.environ.pop("HOTLAP_RELAY_FDS").split())
    for fd in (order_fd, out_fd, dial_fd):
        os.set_inheritable(fd, False)
    with os.fdopen(order_fd, "rb") as file:
        order = json.load(file)
    relay = Relay(order, socket.socket(fileno=dial_fd))
    result = asyncio.run(relay.run())
    data = (json.dumps({"result": result, "exchanges": relay.exchanges()}) + "\n").encode()
    while data:
        data = data[os.write(out_fd, data) :]


if __name__ == "__main__":
    main()
