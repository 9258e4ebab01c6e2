"""BatchNorm over the global batch, so that several processes train as one would.

A process of DDP sees only its share of the batch; BatchNorm over shares is another network
(with two images a process, a very noisy one). On GPUs torch's `SyncBatchNorm` does it; that one
refuses a CPU, for which there is the small one here.
"""

import torch
from torch import Tensor, nn
import torch.distributed as dist
from torch.nn import functional


class GlobalBatchNorm(nn.BatchNorm2d):
    """BatchNorm whose mean and variance are those of all processes' shares together.

    It has the parameters, buffers and state dict of the BatchNorm that it replaces. In
    training, input and output are (b, channels, ...) with any number of further axes; every
    process of the default group must take part. Outside training it is a BatchNorm like any
    other.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return functional.batch_norm(
                input,
                self.running_mean,
                self.running_var,
                self.weight,
                self.bias,
                training=self.running_mean is None,
                eps=self.eps,
            )
        axes = [axis for axis in range(input.dim()) if axis != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = sum_over_processes(input.new_tensor([input.numel() / input.shape[1]]))
        mean = sum_over_processes(input.sum(axes)) / count
        centred = input - mean.reshape(shape)
        variance = sum_over_processes(centred.square().sum(axes)) / count
        self._follow(mean.detach(), (variance * count / (count - 1)).detach())
        normalised = centred * torch.rsqrt(variance + self.eps).reshape(shape)
        if not self.affine:
            return normalised
        return normalised * self.weight.reshape(shape) + self.bias.reshape(shape)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as `nn.BatchNorm2d` does (unbiased variance)."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        weight = self.momentum
        if weight is None:
            weight = 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance, weight)


class _SumOverProcesses(torch.autograd.Function):
    """Add up over processes; the gradient of a sum that all use is the sum of all gradients."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def sum_over_processes(values: Tensor) -> Tensor:
    """Give the sum of a tensor over all processes; gradients flow back to every one."""
    return _SumOverProcesses.apply(values)


def synchronise_batch_norm(module: nn.Module, device: torch.device) -> nn.Module:
    """Replace every BatchNorm below `module` by one over all processes; names stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            setattr(module, name, _global_twin(child))
        else:
            synchronise_batch_norm(child, device)
    return module


def _global_twin(norm: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) -> GlobalBatchNorm:
    twin = GlobalBatchNorm(
        norm.num_features,
        eps=norm.eps,
        momentum=norm.momentum,
        affine=norm.affine,
        track_running_stats=norm.track_running_stats,
    )
    # The same tensors, not copies: an optimizer that was built already keeps hold of them.
    for name, parameter in norm.named_parameters(recurse=False):
        setattr(twin, name, parameter)
    for name, buffer in norm.named_buffers(recurse=False):
        setattr(twin, name, buffer)
    return twin.train(norm.training)
