"""The user's training loss, called so that what goes wrong in it says so."""

from typing import Any

from torch import Tensor, nn

from pocketdet.doctor.patient import TrainingLoss


def says_where(training_loss: TrainingLoss) -> TrainingLoss:
    """Wrap a loss: what it raises gets a note, and what is no single number is refused.

    The wrapped loss raises `ValueError` where the result is not a tensor of one number.
    """

    def loss(model: nn.Module, inputs: Any) -> Tensor:
        try:
            result: Any = training_loss(model, inputs)
        except Exception as error:
            error.add_note("in `training_loss`")
            raise
        if not isinstance(result, Tensor) or result.numel() != 1:
            given = f"a {type(result).__name__}"
            if isinstance(result, Tensor):
                given = f"one of shape {tuple(result.shape)}"
            raise ValueError(f"`training_loss` must give a tensor of one number; it gave {given}.")
        return result

    return loss


def first_line(error: BaseException) -> str:
    """Say in one line what was raised, and where its notes say that it was."""
    said = str(error).strip().splitlines()
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return f"{type(error).__name__}: {said[0] if said else 'no message'}{notes}"
