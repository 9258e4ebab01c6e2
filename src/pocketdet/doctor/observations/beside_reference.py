"""The altered network beside the unaltered one, module by module, on shared weights."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.observations.settled import wake_zeros
from pocketdet.doctor.patient import TrainingLoss, copy_of
from pocketdet.doctor.trace import Call

NUDGE = 1e-6  # of the input's spread: as large as a few roundings
HEADROOM = 100.0  # times what the nudge grew to is no difference yet


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """One module that both networks have, by name, with results of equal shape.

    - `difference`: of its results, relative to the reference's mean size;
    - `tolerance`: what a nudge of the input, as large as rounding, grows to there;
    - `scale`: the altered network's mean size over the reference's;
    - `gradient`: the same of its parameters' gradients, None where it has none to compare.
    """

    name: str
    difference: float
    tolerance: float
    scale: float
    gradient: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class BesideReference:
    """Modules in the order in which the altered network runs them.

    - `pairs`: those of both; `added`: names that only the altered network runs, with the number
      of pairs that ran before; `removed`: names that only the reference runs;
    - `share`: of the altered network's parameters that both have.
    """

    pairs: tuple[Pair, ...]
    added: tuple[tuple[int, str], ...]
    removed: tuple[str, ...]
    share: float


def beside_reference(
    settled: nn.Module,
    reference: nn.Module,
    batch: Call,
    training_loss: TrainingLoss | None = None,
) -> BesideReference:
    """Give both the same weights where names and shapes agree, and run both."""
    altered, before = copy_of(settled).eval(), copy_of(reference).eval()
    wake_zeros(before)
    share = _share_weights(altered, before)
    spread = 1.0
    nudged = batch.mapped(lambda t: _nudged(t, spread))
    try:
        results = [_results(net, call) for net, call in ((altered, batch), (before, batch))]
        moved = _results(before, nudged)
    except Exception as error:
        raise NotObservable(
            f"`reference` does not run on the same inputs: {type(error).__name__}: {error}"
        ) from error
    gradients = [_gradients(net, batch, training_loss) for net in (altered, before)]
    pairs: list[Pair] = []
    added: list[tuple[int, str]] = []
    for name, ours in results[0].items():
        theirs = results[1].get(name)
        if theirs is None:
            added.append((len(pairs), name))
        elif ours.shape == theirs.shape and theirs.numel():
            size = float(theirs.abs().mean()) or 1.0
            pairs.append(
                Pair(
                    name=name,
                    difference=float((ours - theirs).abs().mean()) / size,
                    tolerance=HEADROOM
                    * (float((moved[name] - theirs).abs().mean()) / size + NUDGE),
                    scale=float(ours.abs().mean()) / size,
                    gradient=_ratio(gradients[0].get(name), gradients[1].get(name)),
                )
            )
    return BesideReference(
        pairs=tuple(pairs),
        added=tuple(added),
        removed=tuple(name for name in results[1] if name not in results[0]),
        share=share,
    )


@torch.no_grad()
def _share_weights(altered: nn.Module, before: nn.Module) -> float:
    ours = {**dict(altered.named_parameters()), **dict(altered.named_buffers())}
    shared = 0
    for name, value in (*before.named_parameters(), *before.named_buffers()):
        if name in ours and ours[name].shape == value.shape:
            value.copy_(ours[name])
            shared += value.numel() if isinstance(value, nn.Parameter) else 0
    total = sum(p.numel() for p in altered.parameters())
    return shared / total if total else 1.0


def _nudged(tensor: Tensor, spread: float) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    return tensor + NUDGE * spread * torch.randn_like(tensor)


@torch.no_grad()
def _results(model: nn.Module, call: Call) -> dict[str, Tensor]:
    """Give each module's first float result, in the order in which modules end."""
    found: dict[str, Tensor] = {}

    def keep(name: str, result: object) -> None:
        tensors = [t for _, t in tensors_in(result) if t.is_floating_point()]
        if tensors and name not in found:
            found[name] = tensors[0].detach().double().clone()

    torch.manual_seed(0)
    with _hooked(model, keep):
        call.mapped(torch.clone)(model)
    return found


@contextmanager
def _hooked(model: nn.Module, keep: Callable[[str, object], None]) -> Generator[None]:
    names = {id(module): name for name, module in reversed(list(model.named_modules()))}

    def keep_result(module: nn.Module, _given: object, result: object) -> None:
        keep(names[id(module)], result)

    hooks = [module.register_forward_hook(keep_result) for module in model.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _gradients(model: nn.Module, call: Call, loss: TrainingLoss | None) -> dict[str, float]:
    """Give each module's own gradient norm (of its direct parameters)."""
    if loss is None:
        return {}
    torch.manual_seed(0)
    patient = copy_of(model).train()
    patient.zero_grad(set_to_none=True)
    try:
        loss(patient, call.mapped(torch.clone).given).backward()
    except Exception:  # The loss may not know the reference; signals are compared all the same.
        return {}
    norms: dict[str, float] = {}
    for name, module in patient.named_modules():
        grads = [p.grad.double() for p in module.parameters(recurse=False) if p.grad is not None]
        if grads:
            norms[name] = float(torch.stack([g.square().sum() for g in grads]).sum().sqrt())
    return norms


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    if ours is None or theirs is None or theirs == 0:
        return None
    return ours / theirs
