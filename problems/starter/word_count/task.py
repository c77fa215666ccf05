from typing import List, Tuple

# (text, how many words to return)
input_t = Tuple[str, int]
# (word, count)
output_t = List[Tuple[str, int]]
