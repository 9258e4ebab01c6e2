"""Weights that become zero, more and more of them, while training goes on."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pocketdet.compress.figures import checkpoint_bytes
from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.in_float import check_in_float
from pocketdet.compress.sparsity import Pattern, candidates, fits, lesser, mask_of
from pocketdet.compress.step import StepResult
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector
from pocketdet.train.state import TrainState

GAIN = 1.05
"""A measured speed-up below this is called none."""


@dataclass(frozen=True, kw_only=True)
class Sparsify:
    """Gradual magnitude pruning (Zhu and Gupta 2017, arXiv 1710.01878, equation 1).

    The share of zeros after a part t of the fine-tuning is share · (1 - (1 - u)^`power`), where u
    goes from 0 at `begin` to 1 at `end`; it is raised `updates` times, and every step keeps the
    zeros, in the moving average too.

    - `share`: of the weights of all kernels and matrices that take part (None: three quarters).
      Depthwise kernels do not, nor what `dense` names (modules or parameters);
    - `pattern`: "free"; "2:4", half of each four along the inputs; "block": `block` outputs at one
      place together;
    - `ranking`: "layer" takes the share from each kernel, "global" from all weights together.

    A checkpoint does not store the zeros. No runtime here computes faster for them: the step times
    both and says so.
    """

    share: float | None = None
    pattern: Pattern = "free"
    block: int = 4
    ranking: Literal["layer", "global"] = "layer"
    dense: tuple[str, ...] = ()
    begin: float = 0.0
    end: float = 0.6
    power: float = 3.0
    updates: int = 30
    fine_tune: FineTuning = FineTuning(epochs=10.0)

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share < 1:
            raise ValueError(f"`share` of zeros must be in (0, 1); got {self.share:g}.")
        if self.pattern == "2:4" and self.share not in (None, 0.5):
            raise ValueError(f"`share` of the pattern 2:4 is 0.5; got {self.share:g}.")
        if not 0 <= self.begin < self.end <= 1:
            raise ValueError(
                "`begin` and `end` must be parts of the fine-tuning, in this order; got "
                f"{self.begin:g} and {self.end:g}."
            )
        if min(self.block, self.updates) < 1 or self.power <= 0:
            raise ValueError("`block` and `updates` must be at least 1 and `power` above 0.")

    @property
    def final_share(self) -> float:
        """The share of zeros at the end."""
        return self.share or (0.5 if self.pattern == "2:4" else 0.75)

    def share_at(self, part: float) -> float:
        """Give the share of zeros after a part of the fine-tuning, from 0 to 1."""
        passed = min(1.0, max(0.0, (part - self.begin) / (self.end - self.begin)))
        return self.final_share * (1 - (1 - passed) ** self.power)

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        """Raise the share of zeros while fine-tuning; see `Step`."""
        check_in_float(detector, self)
        names = self._names(detector)
        if not names:
            raise ValueError(
                f"`pattern` {self.pattern} fits no kernel of the detector that is not in `dense`."
            )
        length = self.fine_tune
        masks = _Masks(self, names, bench.num_steps(detector, length) if length.epochs else 1)
        sparse = bench.fine_tune(detector, length, name="sparsifying", after_step=masks)
        if not length.epochs:
            sparse = masks.applied(deepcopy(sparse))
        sizes = {name: sparse.get_parameter(name).numel() for name in names}
        shares = {name: _zeros(sparse.get_parameter(name)) for name in names}
        zeros = sum(sizes[name] * shares[name] for name in names)
        latencies = bench.latencies({"dense": detector, "sparse": sparse})
        gain = latencies["dense"].median / latencies["sparse"].median
        return StepResult(
            detector=sparse,
            figures={
                "zeros": zeros / sum(sizes.values()),
                "zeros of all parameters": zeros / sum(p.numel() for p in sparse.parameters()),
                "file share": checkpoint_bytes(sparse) / checkpoint_bytes(detector),
                "speed-up": gain,
            },
            rows=tuple({"tensor": n, "values": sizes[n], "zeros": shares[n]} for n in names),
            given_up=self._given_up(detector, names, latencies["dense"].runtime, gain),
        )

    def _names(self, detector: Detector) -> list[str]:
        return [
            name
            for name, parameter in detector.named_parameters()
            if fits(parameter, self.pattern, self.block)
            and not any(name == key or name.startswith(f"{key}.") for key in self.dense)
        ]

    def _given_up(
        self, detector: Detector, names: list[str], runtime: str, gain: float
    ) -> tuple[str, ...]:
        parameters = dict(detector.named_parameters())
        left = [n for n, p in parameters.items() if fits(p, "free", 1) and n not in names]
        texts = [f"{len(left)} kernels stay dense: {', '.join(left)}."] if left else []
        if gain < GAIN:
            texts.append(f"{runtime} gains nothing from the zeros ({gain:.2f}×); the file does.")
        return tuple(texts)


def _zeros(tensor: Tensor) -> float:
    return float((tensor == 0).float().mean())


class _Masks:
    """Called after each step of the training: raises the share when due, and keeps the zeros."""

    def __init__(self, step: Sparsify, names: list[str], num_steps: int) -> None:
        self._step, self._names, self._num_steps = step, names, num_steps
        self._every = max(1, round((step.end - step.begin) * num_steps / step.updates))
        self._masks: dict[str, Tensor] = {}

    def __call__(self, state: TrainState) -> None:
        done = state.step + 1  # the step that this follows is counted after it
        is_end = done >= self._step.end * self._num_steps
        if not self._masks or (done % self._every == 0 and not is_end) or self._ends_at(done):
            share = (
                self._step.final_share if is_end else self._step.share_at(done / self._num_steps)
            )
            self._masks = self._chosen(state.detector, share)
        self._keep(state.detector)
        if state.average:
            self._keep(state.average.detector)

    def _ends_at(self, done: int) -> bool:
        end = self._step.end * self._num_steps
        return done - 1 < end <= done

    def applied(self, detector: Detector) -> Detector:
        """Put all zeros in at once, in place."""
        self._masks = self._chosen(detector, self._step.final_share)
        self._keep(detector)
        return detector

    @torch.no_grad()
    def _chosen(self, detector: Detector, share: float) -> dict[str, Tensor]:
        step, parameters = self._step, dict(detector.named_parameters())
        weights = [parameters[name] for name in self._names]
        own = [candidates(weight, step.pattern, step.block) for weight in weights]
        # Of 2:4, each candidate is a half already.
        share = 2 * share if step.pattern == "2:4" else share
        chosen = lesser([c.scores for c in own], share, together=step.ranking == "global")
        return {
            name: mask_of(weight, c, which)
            for name, weight, c, which in zip(self._names, weights, own, chosen, strict=True)
        }

    @torch.no_grad()
    def _keep(self, detector: Detector) -> None:
        for name, mask in self._masks.items():
            detector.get_parameter(name).mul_(mask)
