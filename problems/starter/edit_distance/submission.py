#!POPCORN leaderboard edit-distance
from task import input_t, output_t


def distance(first: str, second: str) -> int:
    # table[i][j]: the distance of the first i characters from the first j.
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in range(len(first) + 1):
        for j in range(len(second) + 1):
            if i == 0 or j == 0:
                table[i][j] = i + j
            elif first[i - 1] == second[j - 1]:
                table[i][j] = table[i - 1][j - 1]
            else:
                table[i][j] = 1 + min(table[i - 1][j - 1], table[i - 1][j], table[i][j - 1])
    return table[len(first)][len(second)]


def custom_kernel(data: input_t) -> output_t:
    return [distance(first, second) for first, second in data]
