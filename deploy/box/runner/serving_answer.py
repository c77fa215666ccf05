"""One answer of a model server: bytes of HTTP/1.1 in, a record of what came and when out. Judges nothing.

The server is a stranger. Everything of its answers that is kept is bounded: heads, lines, texts, bodies.

This file is copied as it is and imports nothing of the runner.
"""
import json

_HEAD_BYTES = 65_536
_LINE_BYTES = 1 << 20
_REFUSAL_BYTES = 65_536
_ERROR_CHARACTERS = 500


class Broken(Exception):
    """The answer is none; the text says why."""


class Record:
    def __init__(self):
        self.error = None
        self.status = None
        self.text = ""
        self.finish = None
        self.usage = None
        self.sent_s = 0.0
        self.first_s = None
        self.last_s = None
        self.gaps_s = []
        self.chunks = 0
        self.body = None
        self.complete = False


class Answer:
    """Bytes of one HTTP/1.1 answer to a record."""

    def __init__(self, record, plan, clock):
        self.record = record
        self.is_stream = plan["stream"]
        self.characters_left = plan["most_characters"]
        self.bytes_left = plan["most_bytes"]
        self.clock = clock
        self.data = b""
        self.parse = self.parse_head
        self.body_left = 0
        self.body = []
        self.event = []
        self.event_bytes = 0
        self.line = b""
        self.texts = []
        self.keep = True
        self.done = False

    def feed(self, data, now):
        self.data += data
        while not self.done and self.parse(now):
            pass

    def end_of_file(self):
        if self.parse == self.parse_rest:
            self.finish()
        elif not self.done:
            raise Broken("the server closed the connection in the middle of an answer")

    def parse_head(self, _now):
        head, found, rest = self.data.partition(b"\r\n\r\n")
        if not found:
            if len(self.data) > _HEAD_BYTES:
                raise Broken("the head of the answer is too long")
            return False
        self.data = rest
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
            raise Broken("the answer is no HTTP")
        status = int(words[1])
        if 100 <= status < 200:
            return True
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip().lower()
        self.record.status = status
        if status != 200:
            self.bytes_left = _REFUSAL_BYTES
        self.keep = fields.get("connection") != "close" and words[0] != "HTTP/1.0"
        if "chunked" in fields.get("transfer-encoding", ""):
            self.parse = self.parse_size
        elif "content-length" in fields:
            if not fields["content-length"].isdigit():
                raise Broken("the answer has no proper length")
            self.body_left = int(fields["content-length"])
            self.parse = self.parse_counted
            if self.body_left == 0:
                self.finish()
        else:
            self.keep = False
            self.parse = self.parse_rest
        return True

    def parse_size(self, _now):
        line, found, rest = self.data.partition(b"\r\n")
        if not found:
            if len(self.data) > 1024:
                raise Broken("the answer's chunks are no HTTP")
            return False
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            raise Broken("the answer's chunks are no HTTP") from None
        self.data = rest
        self.body_left = size
        self.parse = self.parse_chunk if size > 0 else self.parse_trailer
        return True

    def parse_chunk(self, now):
        if self.body_left > 0:
            if not self.data:
                return False
            part = self.data[: self.body_left]
            self.data = self.data[self.body_left :]
            self.body_left -= len(part)
            self.take(part, now)
            return True
        if len(self.data) < 2:
            return False
        self.data = self.data[2:]
        self.parse = self.parse_size
        return True

    def parse_trailer(self, _now):
        line, found, rest = self.data.partition(b"\r\n")
        if not found:
            if len(self.data) > _HEAD_BYTES:
                raise Broken("the answer's chunks are no HTTP")
            return False
        self.data = rest
        if not line:
            self.finish()
        return True

    def parse_counted(self, now):
        if not self.data:
            return False
        part = self.data[: self.body_left]
        self.data = self.data[self.body_left :]
        self.body_left -= len(part)
        self.take(part, now)
        if self.body_left == 0:
            self.finish()
        return True

    def parse_rest(self, now):
        part, self.data = self.data, b""
        if part:
            self.take(part, now)
        return False

    def take(self, part, now):
        if not self.is_stream or self.record.status != 200:
            self.body.append(part)
            self.bytes_left -= len(part)
            if self.bytes_left < 0:
                raise Broken("the answer is too large")
            return
        *lines, self.line = (self.line + part).split(b"\n")
        if len(self.line) > _LINE_BYTES:
            raise Broken("a line of the stream is too long")
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                self.event.append(line[5:].strip())
                self.event_bytes += len(line)
                if self.event_bytes > _LINE_BYTES:
                    raise Broken("an event of the stream is too long")
            elif not line and self.event:
                event, self.event, self.event_bytes = b"\n".join(self.event), [], 0
                self.take_event(event, now)

    def take_event(self, event, now):
        record = self.record
        if event == b"[DONE]":
            record.complete = True
            return
        try:
            told = json.loads(event)
            choices = told.get("choices") or []
            if told.get("usage"):
                record.usage = usage_of(told["usage"])
            if told.get("error") and not choices:
                raise Broken("the server reported an error: %s" % excerpt(json.dumps(told["error"])))
            for choice in choices:
                text = choice.get("text")
                if text is None:
                    text = (choice.get("delta") or {}).get("content")
                if choice.get("finish_reason"):
                    record.finish = str(choice["finish_reason"])[:40]
                if isinstance(text, str) and text:
                    self.note_text(text, now)
        except (ValueError, AttributeError, TypeError) as error:
            raise Broken("an event of the stream is no completion: %s" % excerpt(event.decode("utf-8", "replace"))) from error

    def note_text(self, text, now):
        record = self.record
        self.texts.append(text)
        self.characters_left -= len(text)
        if self.characters_left < 0:
            raise Broken("the answer is longer than was asked for")
        record.chunks += 1
        if record.first_s is not None:
            record.gaps_s.append(now - record.last_s)
        elif text.strip():
            # A blank can be sent before anything is computed: most answers begin with one.
            record.first_s = now
        record.last_s = now

    def finish(self):
        self.done = True
        record = self.record
        record.text = "".join(self.texts)
        if record.first_s is None:
            record.first_s = record.last_s
        if record.status != 200:
            raise Broken("the server answered %s: %s" % (record.status, excerpt(b"".join(self.body).decode("utf-8", "replace"))))
        if self.is_stream:
            if not record.complete and record.finish is None:
                raise Broken("the stream ended in the middle of an answer")
            return
        try:
            body = json.loads(b"".join(self.body))
        except ValueError as error:
            raise Broken("the answer is no JSON") from error
        record.body = body
        record.last_s = self.clock()


def usage_of(value):
    found = {}
    for name in ("prompt_tokens", "completion_tokens"):
        count = value.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 10**9:
            found[name] = count
    return found


def excerpt(text):
    clean = "".join(character if character.isprintable() else " " for character in text[: 4 * _ERROR_CHARACTERS])
    return " ".join(clean.split())[:_ERROR_CHARACTERS]
