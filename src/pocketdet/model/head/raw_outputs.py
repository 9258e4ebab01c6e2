"""What heads say, together with the places in the input that it is said of."""

from typing import NamedTuple

from torch import Tensor


class Predictions(NamedTuple):
    """Raw outputs, with the priors that they are relative to, so that none can be mistaken.

    - `class_logits`: (b, p, 1 + num_classes), unnormalised, background first;
    - `box_deltas`: (b, p, 4), in the head's box code;
    - `priors_cxcywh`: (p, 4), input pixels.
    """

    class_logits: Tensor
    box_deltas: Tensor
    priors_cxcywh: Tensor

    @property
    def places_cxcywh(self) -> Tensor:
        """The (p, 4) place of each row: its prior."""
        return self.priors_cxcywh


class PointPredictions(NamedTuple):
    """Raw outputs of a head without priors, with the cells whose centres they are relative to.

    - `class_logits`: (b, p, num_classes), each class by itself (a sigmoid), no background;
    - `side_logits`: (b, p, 4, num_bins), for the distances to left, top, right and bottom;
    - `cells_cxcywh`: (p, 4), input pixels: width and height are the units of the distances.
    """

    class_logits: Tensor
    side_logits: Tensor
    cells_cxcywh: Tensor

    @property
    def places_cxcywh(self) -> Tensor:
        """The (p, 4) place of each row: the cell that it stands for."""
        return self.cells_cxcywh


RawOutputs = Predictions | PointPredictions
"""The two languages that a head can speak; `decode` and the training's criterion know both."""
