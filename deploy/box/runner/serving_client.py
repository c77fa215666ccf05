"""Sends completion requests to a model server and notes when which part of each answer came. Judges nothing.

It runs in a room of its own: other processes, other files, another network than the server's. Connections come as
descriptors from the launcher in the server's room (serving_launcher.py). A plan comes in on one descriptor, one JSON
object; what was seen goes out on another, JSON lines: any number of {"done": n}, then {"records": [...], ...}.

    plan       path, host, concurrency (null: all at once), arrivals_s (when each may be sent, or null), stream,
               most_characters (of one answer's text), most_bytes (of one answer without stream), rehearsal (a body
               that is sent once before the clock starts, or null), requests: [body, ...]
    record     error (null or a sentence), status, text, finish, usage, sent_s, first_s, last_s, gaps_s, chunks, body

Times are seconds of this process's monotonic clock since the first request. `first_s` is when the first text came
that is more than blanks: an event without text is no token. All connections are open before the clock starts, one for each request that may be
under way at once. In a stream the gaps between texts are kept, so that no mean hides what happened between.

The server is a stranger. Everything of its answers that is kept is bounded; how long it may take is the runner's business.

This file is copied as it is and imports nothing of the runner.
"""
import array
import asyncio
import gc
import json
import os
import socket
import stat
import time

from serving_answer import Answer, Broken, Record, excerpt

_PROGRESS_PAUSE_S = 0.05


class Wire(asyncio.Protocol):
    """One connection; one answer at a time."""

    def __init__(self, clock):
        self.clock = clock
        self.answer = None
        self.waiter = None
        self.transport = None
        self.lost = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        now = self.clock()
        answer = self.answer
        if answer is None:
            # Words that nobody asked for.
            self.transport.close()
            return
        self.read(lambda: answer.feed(data, now))
        if answer.done:
            self.settle(None)

    def eof_received(self):
        self.connection_lost(None)
        return False

    def connection_lost(self, _error):
        self.lost = True
        if self.answer is None:
            return
        self.read(self.answer.end_of_file)
        self.settle(None)

    def read(self, step):
        try:
            step()
        except Broken as broken:
            self.settle(broken)
        except (ValueError, RecursionError) as error:
            self.settle(Broken("the answer cannot be read: %s" % type(error).__name__))

    def settle(self, broken):
        waiter, self.waiter, self.answer = self.waiter, None, None
        if waiter is None or waiter.done():
            return
        if broken is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(broken)

    async def ask(self, head, record, plan):
        self.answer = Answer(record, plan, self.clock)
        self.waiter = asyncio.get_running_loop().create_future()
        record.sent_s = self.clock()
        self.transport.write(head)
        answer = self.answer
        await self.waiter
        return answer.keep and not self.lost


def receive(channel):
    """A message and the descriptors that came with it."""
    said, rights, _flags, _address = channel.recvmsg(256, socket.CMSG_SPACE(2 * array.array("i").itemsize))
    fds = array.array("i")
    for level, kind, data in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return said, fds


class Client:
    def __init__(self, plan, dial_fd, out_fd):
        self.plan = plan
        self.dial_socket = socket.socket(fileno=dial_fd)
        self.out_fd = out_fd
        self.started = time.perf_counter()
        self.next = 0
        self.done = 0
        self.told_at = 0.0
        self.requests = [self.encode(body) for body in plan["requests"]]
        self.records = [Record() for _ in self.requests]

    def clock(self):
        return time.perf_counter() - self.started

    def encode(self, body):
        data = json.dumps(body, separators=(",", ":")).encode()
        head = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: */*\r\nContent-Length: %d\r\n\r\n"
        return (head % (self.plan["path"], self.plan["host"], len(data))).encode() + data

    async def run(self):
        count = min(len(self.requests), self.plan["concurrency"] or len(self.requests))
        wires = []
        failure = None
        for _ in range(count):
            try:
                wires.append(await self.open())
            except Broken as broken:
                failure = str(broken)
                break
        if wires and self.plan["rehearsal"] is not None:
            # What an engine does only once is nobody's latency.
            try:
                if not await wires[0].ask(self.encode(self.plan["rehearsal"]), Record(), self.plan):
                    wires[0] = await self.open()
            except Broken as broken:
                wires, failure = [], str(broken)
        # What is dropped before the clock starts is not collected while it runs.
        gc.collect()
        gc.disable()
        self.started = time.perf_counter()
        if wires:
            await asyncio.gather(*(self.work(wire) for wire in wires))
            self.tell({"done": self.done})
        for record in self.records[self.next if wires else 0 :]:
            record.error = failure or "no connection was left for it"
        ends = [record.last_s for record in self.records if record.last_s is not None]
        self.tell({"records": [self.shown(record) for record in self.records], "duration_s": max(ends, default=0.0)})

    def shown(self, record):
        told = dict(vars(record))
        del told["complete"]
        return told

    async def open(self):
        wire = Wire(self.clock)
        found = await asyncio.get_running_loop().run_in_executor(None, self.connect)
        await asyncio.get_running_loop().create_connection(lambda: wire, sock=found)
        return wire

    def connect(self):
        try:
            self.dial_socket.send(b"c")
            said, fds = receive(self.dial_socket)
        except OSError as error:
            raise Broken("the room of the server is gone") from error
        if len(fds) == 1 and said == b"ok" and stat.S_ISSOCK(os.fstat(fds[0]).st_mode):
            found = socket.socket(fileno=fds[0])
            if found.type == socket.SOCK_STREAM:
                found.setblocking(False)
                if found.family != socket.AF_UNIX:
                    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return found
            found.close()
        else:
            for fd in fds:
                os.close(fd)
        raise Broken("the server takes no connection: %s" % excerpt(said.decode("utf-8", "replace").partition(": ")[2] or "it is gone"))

    async def work(self, wire):
        due = self.plan["arrivals_s"]
        while self.next < len(self.requests):
            index = self.next
            self.next += 1
            record = self.records[index]
            if due is not None:
                await asyncio.sleep(max(0.0, due[index] - self.clock()))
            try:
                if wire is None or wire.lost:
                    wire = await self.open()
                if not await wire.ask(self.requests[index], record, self.plan):
                    wire.transport.close()
                    wire = None
            except Broken as broken:
                record.error = str(broken)
                if wire is not None:
                    wire.transport.abort()
                    wire = None
            self.done += 1
            if self.clock() - self.told_at > _PROGRESS_PAUSE_S:
                self.told_at = self.clock()
                self.tell({"done": self.done})
        if wire is not None:
            wire.transport.close()

    def tell(self, line):
        data = (json.dumps(line, separators=(",", ":")) + "\n").encode()
        while data:
            data = data[os.write(self.out_fd, data) :]


def main():
    plans_fd, out_fd = (int(text) for text in os.environ.pop("HOTLAP_CLIENT_FDS").split())
    for fd in (plans_fd, out_fd):
        os.set_inheritable(fd, False)
    plans = socket.socket(fileno=plans_fd)
    while True:
        said, fds = receive(plans)
        if said != b"plan" or len(fds) != 2:
            return
        with os.fdopen(fds[0], "rb") as file:
            plan = json.load(file)
        client = Client(plan, fds[1], out_fd)
        asyncio.run(client.run())
        client.dial_socket.close()
        gc.enable()


if __name__ == "__main__":
    main()
