from typing import Tuple

import torch

# (a, b)
input_t = Tuple[torch.Tensor, torch.Tensor]
output_t = torch.Tensor
