"""A map laid over the image that the network saw, with a colour scale."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np

from gluon_cbam.explain.maps.grid import Grid, even, spread

COLOURS = 'turbo'
"""The colour scale, one of matplotlib's."""
SHARE = 0.55
"""Share of the colour in a pixel; the rest is the grey image, so that colours mean the map alone."""
_FLAT = 1e-3  # values closer than this are one colour
_BLOCKS = 4  # images enlarged more than this show their pixels as squares


def enlarged(pixels: np.ndarray, side: int) -> np.ndarray:
    """(S, S, 3) uint8 to (side, side, 3)."""
    scale = side / len(pixels)
    way = cv2.INTER_NEAREST if scale >= _BLOCKS else cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    return cv2.resize(pixels, (side, side), interpolation=way)


def lay_over(
    pixels: np.ndarray, heat: np.ndarray, grid: Optional[Grid], limits: Tuple[float, float], side: int
) -> np.ndarray:
    """A map over an image.

    Args:
        pixels: (S, S, 3) uint8 RGB, what the network saw.
        heat: (H, W).
        grid: of the map; None for cells that divide the image evenly.
        limits: values at both ends of the colour scale.
        side: of the result, in pixels.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    from matplotlib import colormaps

    size, scale = pixels.shape[:2], side / len(pixels)
    grid = grid or even(heat.shape, size)
    # the centre of pixel p of the image is at (p + 0.5) * scale - 0.5
    larger = Grid(
        tuple(step * scale for step in grid.stride), tuple((start + 0.5) * scale - 0.5 for start in grid.start)
    )
    low, high = limits
    level = np.clip((spread(heat, (side, side), larger) - low) / (high - low), 0, 1)
    colour = colormaps[COLOURS](level)[..., :3] * 255
    grey = cv2.cvtColor(enlarged(pixels, side), cv2.COLOR_RGB2GRAY)[..., None]
    return np.round(SHARE * colour + (1 - SHARE) * grey).astype(np.uint8)


def limits_of(heat: np.ndarray) -> Tuple[float, float]:
    """The smallest and the largest value, further apart where a scale between them would show nothing but noise."""
    low, high = float(heat.min()), float(heat.max())
    return (low, high) if high - low > _FLAT else (low - _FLAT, high + _FLAT)
