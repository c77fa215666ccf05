"""Unpacks a submitted archive (.tar.gz, .tgz, .zip) into an empty folder, inside the room, under the job's user.

Hotlap has looked through the same archive before it was queued (src/intake/archive.ts). This does not rely on that:
two readers of one format may disagree, and the bytes are a stranger's. Files, folders and links that stay inside are
made; anything else is refused with a sentence. Links are made last, when no name can be written through one any more.

This file is copied as it is and imports nothing of the runner.
"""
import gzip
import os
import stat
import tarfile
import zipfile
import zlib

#: Of everything together, unpacked.
MOST_BYTES = 512 * 1024 * 1024
MOST_ENTRIES = 20_000
_CHUNK = 1 << 20


class Unusable(Exception):
    """The archive's fault; the text is for the participant."""


def unpack(source, folder):
    """`source` is an open binary file at its beginning. Returns how many files were written."""
    start = source.read(4)
    source.seek(0)
    writer = _Writer(folder)
    try:
        if start[:2] == b"\x1f\x8b":
            _unpack_tar(source, writer)
        elif start == b"PK\x03\x04" or start == b"PK\x05\x06":
            _unpack_zip(source, writer)
        else:
            raise Unusable("it is neither a .tar.gz nor a .zip")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError) as error:
        raise Unusable("it is damaged: %s" % error) from error
    except RuntimeError as error:
        # zipfile's way to ask for a password.
        raise Unusable(str(error)) from error
    writer.make_links()
    return writer.files


class _Writer:
    def __init__(self, folder):
        self.folder = folder
        self.files = 0
        self._entries = 0
        self._left = MOST_BYTES
        self._links = []

    def place(self, name):
        """The path of an entry; None for the top folder itself."""
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise Unusable("it has more than %d entries" % MOST_ENTRIES)
        if name.startswith("/") or "\0" in name or "\\" in name:
            raise Unusable("%r is not a relative path" % name)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise Unusable("%r leads out of the archive" % name)
        return os.path.join(self.folder, *parts) if parts else None

    def make_folder(self, path):
        os.makedirs(path, mode=0o755, exist_ok=True)

    def write(self, path, chunks, mode):
        self.make_folder(os.path.dirname(path))
        # The last of two entries of one name wins, as with tar.
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if mode & 0o100 else 0o644)
        with os.fdopen(fd, "wb") as out:
            for chunk in chunks:
                self._left -= len(chunk)
                if self._left < 0:
                    raise Unusable("it is larger than %d MiB when unpacked" % (MOST_BYTES >> 20))
                out.write(chunk)
        self.files += 1

    def link_later(self, path, target, entry):
        if target.startswith("/") or "\0" in target:
            raise Unusable("the link %r leads out of the archive" % entry)
        inside = os.path.relpath(os.path.join(os.path.dirname(path), target), self.folder)
        if inside == ".." or inside.startswith("../"):
            raise Unusable("the link %r leads out of the archive" % entry)
        self._links.append((path, target))

    def make_links(self):
        for path, target in self._links:
            self.make_folder(os.path.dirname(path))
            try:
                os.symlink(target, path)
            except FileExistsError:
                raise Unusable("%r is there twice" % os.path.relpath(path, self.folder)) from None


def _chunks(file):
    while True:
        data = file.read(_CHUNK)
        if not data:
            return
        yield data


def _unpack_tar(source, writer):
    # gzip.open reads all of what was compressed in parts; tarfile's own reading stops after the first.
    with gzip.open(source) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as archive:
        for member in archive:
            path = writer.place(member.name)
            if path is None or member.isdir():
                if path is not None:
                    writer.make_folder(path)
            elif member.isfile():
                file = archive.extractfile(member)
                assert file is not None
                writer.write(path, _chunks(file), member.mode)
            elif member.issym():
                writer.link_later(path, member.linkname, member.name)
            elif member.islnk():
                # A second name for an earlier file; as a link of the other kind it means the same here.
                target = writer.place(member.linkname)
                if target is None:
                    raise Unusable("the link %r leads nowhere" % member.name)
                writer.link_later(path, os.path.relpath(target, os.path.dirname(path)), member.name)
            else:
                raise Unusable("%r is a device or pipe" % member.name)


def _unpack_zip(source, writer):
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            path = writer.place(info.filename)
            if info.flag_bits & 1:
                raise Unusable("it is encrypted")
            mode = info.external_attr >> 16
            kind = stat.S_IFMT(mode)
            if path is None or info.is_dir():
                if path is not None:
                    writer.make_folder(path)
            elif kind == stat.S_IFLNK:
                with archive.open(info) as file:
                    writer.link_later(path, file.read(4096).decode("utf-8", "replace"), info.filename)
            elif kind in (0, stat.S_IFREG):
                with archive.open(info) as file:
                    writer.write(path, _chunks(file), mode)
            else:
                raise Unusable("%r is a device or pipe" % info.filename)
