import torch

# a matrix
input_t = torch.Tensor
output_t = torch.Tensor
