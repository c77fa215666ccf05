from typing import Tuple

import torch

# (images, filters)
input_t = Tuple[torch.Tensor, torch.Tensor]
output_t = torch.Tensor
