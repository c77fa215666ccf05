#!POPCORN leaderboard word-count
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    text, top = data
    counts = {}
    word = ""
    for char in text + " ":
        if "a" <= char.lower() <= "z":
            word += char.lower()
        elif word:
            if word not in counts:
                counts[word] = 0
            counts[word] += 1
            word = ""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]
