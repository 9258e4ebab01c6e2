"""SSD's crops: a random window that overlaps a box by at least a drawn IoU."""

import numpy as np
import torch

from pocketdet.conventions import pairwise_iou
from pocketdet.data.augment.settings import AugmentSettings
from pocketdet.data.augment.window import Window


def cropped(
    window: Window,
    boxes_xyxy: np.ndarray,
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> Window:
    """Draw a crop of the window, or the window itself.

    Samplers are tried in random order until one finds a crop, which chooses evenly among
    those that can. `boxes_xyxy` (n, 4) are in the picture's pixels. Without boxes there is
    nothing to overlap, and the window stays whole.
    """
    if len(boxes_xyxy) == 0:
        return window
    for sampler in rng.permutation(len(settings.crop_min_ious)):
        min_iou = settings.crop_min_ious[sampler]
        if min_iou is None:
            return window
        candidates = _candidates(window, settings, rng)
        fitting = np.flatnonzero(_fits(candidates, boxes_xyxy, min_iou))
        if len(fitting):
            return Window(*candidates[fitting[0]].tolist())
    return window


def contains_centre(windows_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Say which of (m, 4) windows hold the centres of which of (n, 4) boxes, as (m, n)."""
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    low, high = windows_xyxy[:, None, :2], windows_xyxy[:, None, 2:]
    return np.all((centres >= low) & (centres < high), axis=2)


def _candidates(window: Window, settings: AugmentSettings, rng: np.random.Generator) -> np.ndarray:
    """Draw `crop_trials` crops (trials, 4) in whole pixels, all inside the window."""
    draws = rng.random((settings.crop_trials, 4))
    low, high = settings.crop_scale
    scale = low + draws[:, 0] * (high - low)
    # No side may be longer than the window's, so the aspect has limits that go with the scale.
    low_aspect = np.maximum(settings.crop_aspect[0], scale**2)
    high_aspect = np.minimum(settings.crop_aspect[1], scale**-2)
    root = np.sqrt(low_aspect + draws[:, 1] * (high_aspect - low_aspect))
    sides = np.stack([scale * root * window.width, scale / root * window.height], axis=1)
    full = np.array([window.width, window.height])
    sides = np.clip(np.rint(sides), 1, full).astype(np.int64)
    corner = np.array([window.left, window.top])
    start = corner + (draws[:, 2:] * (full - sides + 1)).astype(np.int64)
    return np.concatenate([start, start + sides], axis=1)


def _fits(candidates: np.ndarray, boxes_xyxy: np.ndarray, min_iou: float) -> np.ndarray:
    held = np.any(contains_centre(candidates, boxes_xyxy), axis=1)
    if min_iou == 0:
        return held
    overlap = pairwise_iou(
        torch.from_numpy(candidates.astype(np.float64)),
        torch.from_numpy(boxes_xyxy.astype(np.float64)),
    )
    return held & (overlap.amax(dim=1).numpy() >= min_iou)
