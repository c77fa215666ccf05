"""Texts to ask a model server: fixed ones, and secret ones drawn for one run.

Secret texts come from a stream of hashed random bytes. They owe their secrecy to bytes that this machine draws anew for
every stage: the seed of a submission is mixed in, but its 31 bits alone could be tried out by an engine that has seen
some of the texts and a GPU to try with. For the same reason it is no ordinary generator, whose state can be computed
from what it gave out.
"""
from __future__ import annotations

import hashlib
import math
import os
from typing import List, Optional, Sequence

#: Of the gate with fixed prompts; a task may bring its own. The baseline of a task belongs to its prompts.
FIXED = (
    "The harbour was quiet in the early morning, and the first boat to leave was",
    "To bake a simple loaf of bread you need flour, water, salt and yeast. First,",
    "The moon goes around the Earth about once a month because",
    "Dear neighbour, thank you for looking after our garden while we were away. We",
    "A prime number is a whole number greater than one that",
    "When the train stopped between two stations, the passengers began to",
    "The most important difference between a list and a tuple in Python is",
    "In the year after the great flood, the people of the valley decided to",
    "Question: Why does ice float on water?\nAnswer:",
    "The library opens at nine. Before you borrow a book for the first time, you",
)

#: Common short words: one token each, with the blank before it, for most tokenizers.
_WORDS = (
    "about above across after again air all also and animal answer any apple arm around art ask away back bad ball bank "
    "bar base bath bear bed before begin bell below best better big bird bit black block blood blue board boat body bone "
    "book both bottom box boy branch bread bridge bright bring brother brown build bus but buy call camp can cap car card "
    "care cat cause cell chair chance change child church circle city class clean clear clock close cloud coast coat cold "
    "color come cook cool copy corn corner cost country course court cow cross cup cut dance dark day dead deep desk dog "
    "door down draw dream dress drink drive drop dry duck dust each ear early earth east easy eat edge egg eight end engine "
    "even evening every eye face fact fair fall family far farm fast father fear feel feet few field fight fill film final "
    "find fine finger fire first fish five floor flow flower fly food foot force forest form four free fresh friend from "
    "front fruit full game garden gas gate gift girl give glass gold good grass gray great green ground group grow guess "
    "gun hair half hall hand hard hat have head hear heart heat heavy help here high hill hold hole home hope horse hot "
    "hour house how human hundred ice idea inch iron island job join jump just keep key kind king kiss kitchen knee knife "
    "know lady lake land large last late law lead leaf learn least leave left leg less letter level lie life lift light "
    "line lip list live long look lost love low lunch main make man many map mark market master match may meal mean meat "
    "meet middle mile milk mind minute miss model money month moon more morning most mother mountain mouth move much music "
    "name near neck need never new news next night nine noise north nose note now number oil old once one only open orange "
    "order other over own page pain paint pair paper park part party pass past path pay peace pen people person phone piece "
    "pink place plan plane plant plate play point pool poor post pot power press pull push queen quick quiet race rain raise "
    "reach read ready real red rest rice rich ride right ring rise river road rock roll roof room root rose round row rule "
    "run sad safe salt same sand save say school sea seat second see seed sell send serve set seven shadow shape share sharp "
    "ship shirt shoe shop short should shoulder show side sign silver sing sister sit six size skin sky sleep slow small "
    "smile smoke snow soft soil some song soon sound south space speak speed spell spring square stage stand star start "
    "state station stay steel step stick still stone stop store storm story street strong such sugar summer sun sure sweet "
    "swim table tail take talk tall taste tea teach team tell ten test thank their then there these thick thin thing think "
    "this those three time tiny to today together too tool top touch town track trade train travel tree trip true try turn "
    "twelve two uncle under until up use valley very view village visit voice wait walk wall want war warm wash watch water "
    "wave way wear weather week well west wheel when where which white who why wide wife wild wind window wine wing winter "
    "wire wish with woman wonder wood word work world write yard year yellow yes you young"
).split()

_OPENINGS = (
    "Write about", "Explain to a child what connects", "Tell a short story about", "List three facts about",
    "Compare", "Describe a day with", "Give advice to somebody who has to choose between", "Argue for or against",
)  # fmt: skip
_CLOSINGS = (
    "Begin with the first.", "Use plain words.", "Keep it short.", "Say why it matters.", "End with a question.",
    "Give one example of each.",
)  # fmt: skip


class SecretStream:
    """Random numbers of one stage that nobody else can compute."""

    def __init__(self, seed: Optional[int], purpose: str) -> None:
        self._key = hashlib.sha256(f"{seed}/{purpose}/".encode() + os.urandom(32)).digest()
        self._counter = 0
        self._bytes = b""

    def below(self, limit: int) -> int:
        """Uniform in [0, limit), for limits far below 2^64."""
        if len(self._bytes) < 8:
            self._bytes = hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest()
            self._counter += 1
        number, self._bytes = int.from_bytes(self._bytes[:8], "big"), self._bytes[8:]
        return number % limit

    def pick(self, items: Sequence[str]) -> str:
        return items[self.below(len(items))]

    def sample(self, count: int, of: int) -> List[int]:
        """`count` different numbers below `of`, or all of them, in no order."""
        numbers = list(range(of))
        for index in range(min(count, of)):
            other = index + self.below(of - index)
            numbers[index], numbers[other] = numbers[other], numbers[index]
        return numbers[:count]

    def seconds_until_next(self, rate: float) -> float:
        """Of a Poisson process with so many events a second."""
        return -math.log(1.0 - self.below(1 << 52) / (1 << 52)) / rate


def words(stream: SecretStream, count: int) -> str:
    """So many common words: about as many tokens."""
    return " ".join(stream.pick(_WORDS) for _ in range(count))


def gate_prompt(stream: SecretStream) -> str:
    """An instruction of no fixed length about things that hardly anybody has put together before."""
    parts = [stream.pick(_OPENINGS)]
    subjects = [f"a {stream.pick(_WORDS)} {stream.pick(_WORDS)}" for _ in range(2 + stream.below(2))]
    parts.append(", ".join(subjects[:-1]) + " and " + subjects[-1] + ".")
    parts.append(stream.pick(_CLOSINGS))
    return " ".join(parts)
