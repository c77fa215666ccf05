import torch

# the vector
input_t = torch.Tensor
output_t = torch.Tensor
