"""Brightness, contrast, saturation and hue, in uint8 throughout."""

import cv2
import numpy as np

from pocketdet.data.augment.settings import AugmentSettings, Range

LEVELS = np.arange(256, dtype=np.float32)


def distorted(
    pixels: np.ndarray, settings: AugmentSettings, rng: np.random.Generator
) -> np.ndarray:
    """Alter the colours of (H, W, 3) uint8 RGB pixels; gives new pixels or the same array.

    SSD's order: brightness, then contrast either before or after saturation and hue.
    """
    chosen = rng.random(4) < settings.photometric_probability
    contrast_first = rng.random() < 0.5
    brightness = rng.uniform(-settings.brightness, settings.brightness) if chosen[0] else 0.0
    contrast = _factor(settings.contrast, rng) if chosen[1] else 1.0
    saturation = _factor(settings.saturation, rng) if chosen[2] else 1.0
    degrees = rng.uniform(-settings.hue, settings.hue) if chosen[3] else 0.0

    pixels = with_levels(pixels, brightness, contrast if contrast_first else 1.0)
    pixels = with_colour(pixels, saturation, degrees)
    return pixels if contrast_first else with_levels(pixels, 0.0, contrast)


def with_levels(pixels: np.ndarray, brightness: float, contrast: float) -> np.ndarray:
    """Add `brightness`, cut off at 0 and 255, then multiply by `contrast`."""
    if brightness == 0.0 and contrast == 1.0:
        return pixels
    table = np.clip(LEVELS + brightness, 0, 255) * contrast
    return cv2.LUT(pixels, np.clip(np.rint(table), 0, 255).astype(np.uint8))


def with_colour(pixels: np.ndarray, saturation: float, degrees: float) -> np.ndarray:
    """Multiply the saturation and turn the hue, both as in HSV."""
    if saturation == 1.0 and degrees == 0.0:
        return pixels
    # "FULL" makes 256 steps of the circle, so a hue that overflows its byte has gone round.
    table = np.stack(
        [
            (LEVELS + round(degrees * 256 / 360)) % 256,
            np.minimum(np.rint(LEVELS * np.float32(saturation)), 255),
            LEVELS,
        ],
        axis=-1,
    )
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL)
    altered = cv2.LUT(hsv, table.astype(np.uint8)[None])
    return cv2.cvtColor(altered, cv2.COLOR_HSV2RGB_FULL)


def _factor(limits: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(*limits))
