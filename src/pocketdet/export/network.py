"""What goes into a file: normalisation, the network, decoding, as one module of plain tensors."""

from typing import cast

import torch
from torch import Tensor, nn

from pocketdet.conventions import DecodeSettings, clip_boxes
from pocketdet.export.nms_operator import select_boxes
from pocketdet.export.settings import ExportSettings
from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.decode import scored_boxes
from pocketdet.model.detector import Detector
from pocketdet.model.head import RawOutputs
from pocketdet.runtime.card import FileInput
from pocketdet.runtime.outputs import (
    BoxOutputs,
    CellOutputs,
    DetectionRows,
    FileOutputs,
    PriorOutputs,
    as_places,
)


class FileNetwork(nn.Module):
    """Takes pictures as the card says, and gives the card's outputs in its order.

    `network` gives `RawOutputs` for normalised pictures: the detector itself, or one made from it.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, detector: Detector, network: nn.Module, settings: ExportSettings) -> None:
        super().__init__()
        contract = detector.contract
        self.network = network
        self.settings = settings
        self.contract = contract
        self.box_coder = detector.box_coder
        shape = (1, 3, 1, 1)
        self.register_buffer("mean", torch.tensor(contract.mean).reshape(shape), persistent=False)
        self.register_buffer("scale", torch.tensor(contract.scale).reshape(shape), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        if self.settings.normalization == "inside":
            images = self._normalized(images)
        raw = cast(RawOutputs, self.network(images))
        if not self.settings.decodes:
            return raw[0], raw[1]
        boxes_xyxy, scores = scored_boxes(raw, self.box_coder)
        if self.settings.nms == "outside":
            return boxes_xyxy, scores
        contract = self.contract
        boxes_xyxy = clip_boxes(boxes_xyxy, height=contract.height, width=contract.width)
        return (detection_rows(boxes_xyxy, scores, self.settings.detection),)

    def _normalized(self, images: Tensor) -> Tensor:
        """Do what the contract's `normalize` does, in operators that every runtime has."""
        images = images.float()
        if self.contract.channel_order == "BGR":
            images = torch.cat([images[:, 2:3], images[:, 1:2], images[:, 0:1]], dim=1)
        return (images - self.mean) * self.scale


def detection_rows(boxes_xyxy: Tensor, scores: Tensor, settings: DecodeSettings) -> Tensor:
    """Give (n, 7) rows of place in the batch, box, score and label, of (b, p, 4) and (b, p, c).

    Each class of each picture goes through NMS as a picture of its own, so that its best
    `max_per_class` candidates are chosen first, as everywhere else.
    """
    num_classes = scores.shape[2]
    count = min(settings.max_per_class, scores.shape[1])
    best, places = scores.transpose(1, 2).topk(count, dim=2)
    spread = boxes_xyxy[:, None].expand(-1, num_classes, -1, -1)
    candidates = spread.gather(2, places[..., None].expand(-1, -1, -1, 4)).flatten(0, 1)
    best = best.flatten(0, 1)
    chosen = select_boxes(candidates, best[:, None], settings)
    group, place = chosen[:, 0], chosen[:, 2]
    image = torch.div(group, num_classes, rounding_mode="floor")
    label = group - image * num_classes
    return torch.cat(
        [
            image[:, None].float(),
            candidates[group, place],
            best[group, place][:, None],
            label[:, None].float(),
        ],
        dim=1,
    )


def file_input(detector: Detector, settings: ExportSettings, *, batch: int | None) -> FileInput:
    """Say what the file takes: bytes, where normalisation is inside and the runtime takes them."""
    as_bytes = settings.normalization == "inside" and settings.to not in ("ncnn", "litert")
    return FileInput(
        contract=detector.contract,
        normalization=settings.normalization,
        dtype="uint8" if as_bytes else "float32",
        batch=batch,
        name="in0" if settings.to == "ncnn" else "images",
    )


def file_outputs(detector: Detector, settings: ExportSettings) -> FileOutputs:
    """Say what comes out of the file."""
    if settings.nms == "inside":
        return DetectionRows()
    places = detector.places_cxcywh.cpu().numpy()
    if settings.decode == "inside":
        return BoxOutputs(num_places=len(places))
    coder = detector.box_coder
    if isinstance(coder, BoxCoder):
        return PriorOutputs(variances=coder.variances, places_cxcywh=as_places(places))
    return CellOutputs(
        num_bins=coder.num_bins, lowest=coder.lowest, places_cxcywh=as_places(places)
    )
