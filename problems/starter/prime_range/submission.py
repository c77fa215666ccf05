#!POPCORN leaderboard prime-range
from task import input_t, output_t


def is_prime(number: int) -> bool:
    if number < 2:
        return False
    divisor = 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 1
    return True


def custom_kernel(data: input_t) -> output_t:
    start, stop = data
    return [number for number in range(start, stop) if is_prime(number)]
