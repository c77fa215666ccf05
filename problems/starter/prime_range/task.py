from typing import List, Tuple

# (start, stop), stop excluded
input_t = Tuple[int, int]
output_t = List[int]
