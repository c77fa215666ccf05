"""The first process in the room of a model server: installs, starts the server, and hands out connections to it.

What it is told and says are messages on a socket that the runner holds the other end of, one JSON object each:

    -> {"do":"install"}    <- {"said":"installed","how":"overlay"}   or  {"said":"refused","why":"..."}
    -> {"do":"serve"}      <- {"said":"started"}  {"said":"healthy","port":8321}   at last  {"said":"ended",...}

The room has a network of its own with nothing but its loopback, and whoever measures the server must reach it without
being in its reach. So no door leads in: the measuring client, in another room, asks on a second socket for a
connection; this process connects to the server's port and sends the connected socket's descriptor back. A TCP socket
belongs to the network it was made in and works wherever its descriptor is held. Nothing stands between the two ends
afterwards, so that nothing slows them; the client has no port that a submission could talk to; and what a submission
gains by posing as this process is what it has anyway: to answer a request as it likes.

This process is closed to the others of its user. It may be killed by them, which ends the room.

This file is copied as it is and imports nothing of the runner.
"""
import array
import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys

#: The port that existing guides name; another one where it is taken, which only happens without a sandbox.
_PORT = 8321
_CONNECT_S = 30.0
_HEALTH_S = 5.0
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 1.0
_MESSAGE_BYTES = 65_536


class Launcher:
    def __init__(self, order, control, dial):
        self.order = order
        self.control = control
        self.dial = dial
        #: Where the unpacked archive is, what goes first on PYTHONPATH, and where the server is started.
        self.tree = self.first = self.start = ""
        self.server = None
        self.port = 0
        self.healthy = False

    def say(self, said, **fields):
        self.control.send(json.dumps(dict(fields, said=said)).encode())

    def run(self):
        children, write_fd = os.pipe()
        for fd in (children, write_fd):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self.control, selectors.EVENT_READ, self.on_control)
        selector.register(self.dial, selectors.EVENT_READ, self.on_dial)
        selector.register(children, selectors.EVENT_READ, lambda: _drain(children))
        pause_s = _FIRST_PAUSE_S
        while True:
            waits = self.server is not None and not self.healthy
            for key, _ in selector.select(pause_s if waits else None):
                key.data()
            if self.server is not None and self.server.poll() is not None:
                code = self.server.returncode
                self.say("ended", code=code if code >= 0 else None, signal=-code if code < 0 else None)
                return
            if waits:
                pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
                if self.is_healthy():
                    self.healthy = True
                    self.say("healthy", port=self.port)

    def on_control(self):
        data = self.control.recv(_MESSAGE_BYTES)
        if not data:
            os._exit(0)  # The runner is gone.
        what = json.loads(data)["do"]
        if what == "install":
            self.install()
        elif what == "serve":
            self.serve()

    def install(self):
        # Only here: the pristine engine's launcher can do without.
        import serving_install

        order = self.order
        try:
            os.mkdir(order["folder"])
            with os.fdopen(order["archive"], "rb") as source:
                installed = serving_install.install(
                    source, order["folder"], order["package"], order["location"], order["python"], dict(os.environ)
                )
        except serving_install.Refused as refused:
            self.say("refused", why=str(refused))
        except OSError as error:
            self.say("refused", why="The fork could not be installed: %s." % (error.strerror or error))
        else:
            self.tree, self.first, self.start = installed.tree, installed.first, installed.start
            self.say("installed", how=installed.how)

    def serve(self):
        self.port = _free_port()
        fills = {"python": self.order["python"], "port": str(self.port), "tree": self.tree}
        argv = [_fill(word, fills) for word in self.order["serve"]]
        env = dict(os.environ)
        if self.first:
            env["PYTHONPATH"] = self.first
        try:
            self.server = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, env=env, cwd=self.start or None, close_fds=True
            )
        except OSError as error:
            self.say("not-started", why="%s: %s" % (argv[0], error.strerror))
            return
        self.say("started")

    def is_healthy(self):
        question = "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % self.order["health"]
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_HEALTH_S) as asked:
                asked.sendall(question.encode())
                answer = b""
                while b"\r\n" not in answer and len(answer) < 1024:
                    data = asked.recv(1024)
                    if not data:
                        break
                    answer += data
            return answer.startswith(b"HTTP/1.") and answer[8:13] == b" 200 "
        except OSError:
            return False

    def on_dial(self):
        if not self.dial.recv(16):
            # The client's end is held by the runner for as long as the room is wanted.
            os._exit(0)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_CONNECT_S) as found:
                # Blocking or not is the open file's matter, and so the client's.
                found.settimeout(None)
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [found.fileno()]))
                self.dial.sendmsg([b"ok"], [rights])
        except OSError as error:
            self.dial.send(("no: %s" % (error.strerror or error)).encode()[:200])


def _fill(word, fills):
    for name, value in fills.items():
        word = word.replace("{%s}" % name, value)
    return word


def _free_port():
    for port in (_PORT, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
                return trial.getsockname()[1]
            except OSError:
                continue
    return _PORT


def _drain(fd):
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


def _harden():
    if not sys.platform.startswith("linux"):
        return
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def main():
    # Before anything else: children inherit neither socket nor archive.
    fds = [int(text) for text in os.environ.pop("HOTLAP_SERVING_FDS").split()]
    for fd in fds:
        if fd >= 0:
            os.set_inheritable(fd, False)
    order_fd, control_fd, dial_fd, archive_fd = fds
    _harden()
    with os.fdopen(order_fd, "rb") as file:
        order = json.load(file)
    order["archive"] = archive_fd
    Launcher(order, socket.socket(fileno=control_fd), socket.socket(fileno=dial_fd)).run()


if __name__ == "__main__":
    main()
