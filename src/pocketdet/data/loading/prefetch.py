"""Batches on the device before they are needed."""

from collections.abc import Iterable, Iterator

import torch

from pocketdet.data.loading.batch import Batch


def prefetched(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Give batches on `device`; on CUDA the next one is copied while this one is worked on.

    The copy runs beside the work only from pinned memory (`TrainBatches(..., pin=True)`).
    """
    if device.type != "cuda":
        for batch in batches:
            yield batch.to(device)
        return
    yield from _one_ahead(batches, device)


def _one_ahead(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    side = torch.cuda.Stream(device)
    waiting: Batch | None = None
    for batch in batches:
        with torch.cuda.stream(side):
            coming = batch.to(device, non_blocking=True)
        if waiting is not None:
            yield waiting
        waiting = _received(coming, side, device)
    if waiting is not None:
        yield waiting


def _received(batch: Batch, side: torch.cuda.Stream, device: torch.device) -> Batch:
    """Make the working stream wait for the copy, and the memory stay until its work is done."""
    working = torch.cuda.current_stream(device)
    working.wait_stream(side)
    for tensor in (batch.images, batch.packed_boxes_xyxy, batch.packed_labels):
        tensor.record_stream(working)
    return batch
