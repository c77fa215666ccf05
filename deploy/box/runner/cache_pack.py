"""Packs the cache folder of a warm-up into a stream and unpacks it into the folder of a later room.

Both ends run inside a room, under the job's user, so that a tree which a participant made is never walked by the runner
itself. What unpacks does not trust the stream: folders and files are made first, while no symbolic link exists yet that
could lead elsewhere, and nothing is ever opened through a link.

A stream is records, each one line of JSON followed by the bytes of the file that it announces, and LAST at the end.
This file is copied as it is and imports nothing of the runner.
"""
import json
import os
import stat

LAST = b'{"last":1}\n'
_CHUNK = 1 << 20


def pack(folder, out_fd, most_bytes):
    """Writes everything below `folder` that can be read. Stops short, without LAST, at more than `most_bytes`."""
    with os.fdopen(out_fd, "wb", buffering=_CHUNK) as out:
        todo = [""]
        while todo:
            below = todo.pop()
            try:
                entries = sorted(os.scandir(os.path.join(folder, below)), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                path = os.path.join(below, entry.name)
                try:
                    most_bytes -= _pack_one(entry, path, out, most_bytes)
                except (OSError, UnicodeError):
                    continue
                if most_bytes < 0:
                    return
                if entry.is_dir(follow_symlinks=False):
                    todo.append(path)
        out.write(LAST)


def _pack_one(entry, path, out, most_bytes):
    """Returns how many bytes it took; too many are announced but not written."""
    found = entry.stat(follow_symlinks=False)
    record = {"path": path, "mode": stat.S_IMODE(found.st_mode) & 0o777, "mtime_ns": found.st_mtime_ns}
    if stat.S_ISDIR(found.st_mode):
        record["kind"] = "folder"
    elif stat.S_ISLNK(found.st_mode):
        record.update(kind="link", target=os.readlink(entry.path))
    elif stat.S_ISREG(found.st_mode):
        record.update(kind="file", size=found.st_size)
    else:
        return 0
    line = json.dumps(record).encode() + b"\n"
    taken = len(line) + record.get("size", 0)
    if taken > most_bytes:
        return taken
    if record["kind"] != "file":
        out.write(line)
        return taken
    fd = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        out.write(line)
        left = record["size"]
        while left:
            data = os.read(fd, min(left, _CHUNK))
            # A file that shrinks under our hands must not shift the records that follow.
            data = data or bytes(min(left, _CHUNK))
            out.write(data)
            left -= len(data)
    finally:
        os.close(fd)
    return taken


def unpack(in_fd, folder):
    """Fills `folder`. Stops at the first thing that is not as it should be: a cache may always be cold."""
    links = []
    times = []
    with os.fdopen(in_fd, "rb", buffering=_CHUNK) as source:
        for line in iter(source.readline, LAST):
            try:
                record = json.loads(line)
                path = _place(folder, record["path"])
                if record["kind"] == "folder":
                    os.mkdir(path, record["mode"] | stat.S_IRWXU)
                elif record["kind"] == "link":
                    links.append((path, record["target"]))
                else:
                    _unpack_file(source, path, record)
                    times.append((path, record["mtime_ns"]))
            except (OSError, ValueError, KeyError, TypeError, EOFError):
                break
    # Builds compare times, so all of them are set after everything is written.
    for path, mtime_ns in times:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    for path, target in links:
        try:
            os.symlink(target, path)
        except (OSError, ValueError):
            pass


def _place(folder, path):
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(path)
    return os.path.join(folder, path)


def _unpack_file(source, path, record):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, record["mode"] | stat.S_IRUSR)
    with os.fdopen(fd, "wb") as out:
        left = record["size"]
        while left:
            data = source.read(min(left, _CHUNK))
            if not data:
                raise EOFError
            out.write(data)
            left -= len(data)
