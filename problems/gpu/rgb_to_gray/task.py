import torch

# height x width x (red, green, blue)
input_t = torch.Tensor
output_t = torch.Tensor
