"""Comparing for the reference files of this set: each answer is "" or what is wrong, for the participant to read."""


def short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def list_difference(expected: list, received: object, item_type: type) -> str:
    """Compares exactly. `item_type` is what every item must be; True and 1.0 are no int here."""
    if type(received) is not list:
        return f"expected a list, received {type(received).__name__}"
    if len(received) != len(expected):
        return f"expected {len(expected)} items, received {len(received)}"
    for index, item in enumerate(received):
        if type(item) is not item_type:
            return f"item {index}: expected {item_type.__name__}, received {type(item).__name__}"
    if received == expected:
        return ""
    wrong = [i for i, (a, b) in enumerate(zip(expected, received)) if a != b]
    first = wrong[0]
    text = f"item {first}: expected {short(expected[first])}, received {short(received[first])}"
    return text if len(wrong) == 1 else f"{text}; {len(wrong)} of {len(expected)} items are wrong"
