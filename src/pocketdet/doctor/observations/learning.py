"""A few real training steps: which parameters get a gradient, and which never."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.settled import wake_zeros
from pocketdet.doctor.patient import TrainingLoss, copy_of
from pocketdet.doctor.trace import Call
from pocketdet.doctor.trace.call import redrawn

NUM_STEPS = 4  # a zero-initialised gate lets gradients pass from the second step on
LEARNING_RATE = 1e-3
LEAST_RELATIVE = 1e-6  # of the typical gradient, in single precision: smaller is looked at again
VANISHED = 1e-10  # in double precision, where rounding leaves 1e-16
SHAKE = 0.3  # of a parameter's own size: no unit stays dead by chance of the start


@dataclass(kw_only=True, eq=False)
class ParameterLearning:
    """What training did for one trainable parameter.

    - `starts_at_zero`: whether all its values were 0;
    - `gradients`: its root mean square at each step, relative to that of the typical parameter,
      None where autograd gave none;
    - `shaken`: the same in double precision on a network whose parameters were shaken and whose
      zeros were woken, the largest of two batches; only where all of `gradients` are nothing;
    - `on_larger`: the same on larger images, None where the loss takes one size only;
    - `effect`: the relative change of the loss when it is changed by its own size, likewise.
    """

    name: str
    shape: tuple[int, ...]
    starts_at_zero: bool = False
    gradients: list[float | None] = field(default_factory=list)
    shaken: float | None = None
    on_larger: float | None = None
    effect: float = 0.0

    @property
    def numel(self) -> int:
        return torch.Size(self.shape).numel()

    @property
    def is_unreached(self) -> bool:
        """Whether autograd never gave a gradient, shaken or not."""
        return all(g is None for g in self.gradients) and self.shaken is None

    @property
    def is_still(self) -> bool:
        """Whether it got gradients, and all of them are nothing."""
        return not self.is_unreached and all((g or 0.0) <= LEAST_RELATIVE for g in self.gradients)

    @property
    def is_still_when_shaken(self) -> bool:
        """Whether this is by the network's structure, not by chance of its start."""
        return self.is_still and (self.shaken or 0.0) <= VANISHED

    @property
    def is_exactly_zero(self) -> bool:
        """Whether it got gradients, and not a single value other than zero."""
        return self.is_still and not any(self.gradients)


@dataclass(frozen=True, kw_only=True, eq=False)
class Learning:
    """Some steps with Adam on a copy.

    - `parameters`: name to what became of each trainable parameter;
    - `losses`: before each step; `depends`: whether the loss has a gradient at all.
    """

    parameters: dict[str, ParameterLearning]
    losses: list[float]
    depends: bool


def learning(model: nn.Module, batch: Call, training_loss: TrainingLoss) -> Learning:
    """Train a copy for some steps, on the given images and on others in turn."""
    patient = copy_of(model).train()
    trainable = trainable_of(patient)
    stories = {
        n: ParameterLearning(name=n, shape=tuple(p.shape), starts_at_zero=not bool(p.any()))
        for n, p in trainable.items()
    }
    losses: list[float] = []
    if not trainable:
        return Learning(parameters={}, losses=[], depends=False)
    optimizer = torch.optim.Adam(list(trainable.values()), lr=LEARNING_RATE)
    for step, call in enumerate(_batches(batch, NUM_STEPS)):
        torch.manual_seed(step)
        loss, gradients = gradients_of(patient, call, training_loss)
        if gradients is None:
            return Learning(parameters=stories, losses=losses, depends=False)
        losses.append(loss)
        for name, size in _relative(gradients).items():
            stories[name].gradients.append(size)
        for name, parameter in trainable.items():
            parameter.grad = gradients[name]
        optimizer.step()
    if any(story.is_unreached or story.is_still for story in stories.values()):
        _look_again(model, batch, training_loss, stories)
    return Learning(parameters=stories, losses=losses, depends=True)


def trainable_of(model: nn.Module) -> dict[str, Tensor]:
    """Give the parameters that the user's own `requires_grad` says are to be trained."""
    return {n: p for n, p in model.named_parameters() if p.requires_grad}


def gradients_of(
    model: nn.Module, call: Call, training_loss: TrainingLoss
) -> tuple[float, dict[str, Tensor | None] | None]:
    """Give the loss and its gradients; None in their place where the loss has none."""
    given = call.mapped(torch.clone)
    trainable = trainable_of(model)
    loss = training_loss(model, given.given)
    if not loss.requires_grad:
        return float(loss), None
    # Not `backward()`: what the user's function may reach besides must keep its own gradients.
    try:
        gradients = torch.autograd.grad(loss, list(trainable.values()), allow_unused=True)
    except RuntimeError as error:
        reason = str(error).partition(":")[0]
        raise NotObservable(f"the backward pass of the training loss raised: {reason}") from error
    return float(loss.detach()), dict(zip(trainable, gradients, strict=True))


def _batches(batch: Call, number: int) -> Iterator[Call]:
    for step in range(number):
        yield batch if step % 2 == 0 else other_images(batch)


def other_images(batch: Call) -> Call:
    """Draw the images anew, and leave alone what may be boxes and labels."""
    has_maps = any(t.ndim >= 4 and t.is_floating_point() for _, t in batch.tensors())

    def change(tensor: Tensor) -> Tensor:
        is_image = tensor.is_floating_point() and (tensor.ndim >= 4 or not has_maps)
        return redrawn(tensor) if is_image else tensor

    return batch.mapped(change)


def _relative(gradients: dict[str, Tensor | None]) -> dict[str, float | None]:
    sizes = {n: None if g is None else _rms(g) for n, g in gradients.items()}
    present = sorted(s for s in sizes.values() if s)
    typical = present[len(present) // 2] if present else 1.0
    return {name: None if size is None else size / typical for name, size in sizes.items()}


def _rms(tensor: Tensor) -> float:
    return float(tensor.detach().double().square().mean().sqrt()) if tensor.numel() else 0.0


def _look_again(
    model: nn.Module,
    batch: Call,
    training_loss: TrainingLoss,
    stories: dict[str, ParameterLearning],
) -> None:
    for dtype in (torch.float64, None):
        try:
            _shaken(model, batch, training_loss, stories, dtype)
        except (RuntimeError, TypeError, ValueError, NotObservable):
            continue  # not every network or loss can be run in double precision
        return


def _shaken(
    model: nn.Module,
    batch: Call,
    training_loss: TrainingLoss,
    stories: dict[str, ParameterLearning],
    dtype: torch.dtype | None,
) -> None:
    patient = copy_of(model).train()
    usual = torch.get_default_dtype()

    def cast(tensor: Tensor) -> Tensor:
        return tensor.to(dtype or tensor.dtype) if tensor.is_floating_point() else tensor

    if dtype is not None:
        torch.set_default_dtype(dtype)
        patient = patient.to(dtype)
    try:
        torch.manual_seed(0)
        wake_zeros(patient)
        with torch.no_grad():
            for parameter in patient.parameters():
                if parameter.is_floating_point():
                    parameter.add_(torch.randn_like(parameter) * SHAKE * _rms(parameter))
        for call in (batch.mapped(cast), other_images(batch).mapped(cast)):
            torch.manual_seed(0)
            _, gradients = gradients_of(patient, call, training_loss)
            for name, size in _relative(gradients or {}).items():
                if size is not None:
                    story = stories[name]
                    story.shaken = max(story.shaken or 0.0, size)
        _on_larger_images(patient, batch.mapped(cast), training_loss, stories)
        _measure_effects(patient, batch.mapped(cast), training_loss, stories)
    finally:
        torch.set_default_dtype(usual)


def _on_larger_images(
    patient: nn.Module,
    call: Call,
    training_loss: TrainingLoss,
    stories: dict[str, ParameterLearning],
) -> None:
    if not any(story.is_still for story in stories.values()):
        return
    try:
        torch.manual_seed(0)
        larger = call.resized(LARGER, MULTIPLE)
        _, gradients = gradients_of(patient, larger, training_loss)
    except Exception:  # A network or a loss may refuse other sizes in any way it likes.
        return
    for name, size in _relative(gradients or {}).items():
        stories[name].on_larger = size


LARGER, MULTIPLE = 2.0, 32
MOST_EFFECTS = 24  # modules whose effect is measured, one pass each


@torch.no_grad()
def _measure_effects(
    patient: nn.Module,
    call: Call,
    training_loss: TrainingLoss,
    stories: dict[str, ParameterLearning],
) -> None:
    """Change the parameters of a module together, and look whether the loss changes."""
    parameters = dict(patient.named_parameters())
    owners: dict[str, list[str]] = {}
    for story in stories.values():
        if story.is_unreached or story.is_still:
            owners.setdefault(story.name.rpartition(".")[0], []).append(story.name)

    def loss() -> float:
        torch.manual_seed(0)
        return float(training_loss(patient, call.mapped(torch.clone).given))

    base = loss()
    for names in list(owners.values())[:MOST_EFFECTS]:
        before = {name: parameters[name].clone() for name in names}
        for name in names:
            parameters[name].add_(
                torch.randn_like(parameters[name]) * (_rms(parameters[name]) + 0.1)
            )
        effect = abs(loss() - base) / (abs(base) + 1e-12)
        for name in names:
            parameters[name].copy_(before[name])
            stories[name].effect = effect
