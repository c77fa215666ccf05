from typing import List, Tuple

# (values, width)
input_t = Tuple[List[int], int]
output_t = List[int]
