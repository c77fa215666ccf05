from typing import List, Tuple

input_t = List[Tuple[str, str]]
output_t = List[int]
