"""One colour a class, far apart for neighbouring labels, and text that reads on it."""

import colorsys

GOLDEN_RATIO = 0.618034
"""Steps of this share of the colour circle never come close to an earlier one soon."""

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)


def class_colour(label: int) -> Colour:
    """Give a class's RGB colour, the same in every picture."""
    hue = (0.0 + label * GOLDEN_RATIO) % 1.0
    saturation = (0.85, 0.6, 1.0)[label // 8 % 3]
    value = (1.0, 0.95, 0.75)[label // 4 % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def text_colour(background: Colour) -> Colour:
    """Choose black or white, whichever is easier to read on a colour."""
    red, green, blue = background
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    return BLACK if luminance > 130 else WHITE
