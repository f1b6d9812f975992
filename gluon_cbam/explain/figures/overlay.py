"""Overlay of a map on the network's input image, in the colors of a colormap."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np

from gluon_cbam.data.resizing import letterbox_shape
from gluon_cbam.explain.maps.grid import Grid, even_grid, upsample_map

COLORMAP = 'turbo'
"""The colormap, one of matplotlib's."""
OPACITY = 0.55
"""Opacity of the map, in 0..1. The image below it is gray, so that all colors are the map's."""
_FLAT = 1e-3  # a map whose range is smaller is drawn in one color
PIXELATED = 4
"""Images enlarged by at least this factor show their pixels as squares."""


def resize_into(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resize an image for display.

    Args:
        pixels: (H, W, 3) uint8.
        side: the longer side of the result, in pixels.

    Returns:
        The image with the same aspect ratio, uint8.
    """
    scale = side / max(pixels.shape[:2])
    method = cv2.INTER_NEAREST if scale >= PIXELATED else cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    height, width = letterbox_shape(pixels.shape[0], pixels.shape[1], side, side)
    return cv2.resize(pixels, (width, height), interpolation=method)


def overlay_map(
    pixels: np.ndarray, heat: np.ndarray, grid: Optional[Grid], limits: Tuple[float, float], side: int
) -> np.ndarray:
    """Draw a map over an image.

    Args:
        pixels: (H, W, 3) uint8 RGB, the network's input.
        heat: (rows, columns) float, the map.
        grid: positions of the map's cells; None for cells that divide the image evenly.
        limits: values at both ends of the colormap.
        side: the longer side of the result, in pixels.

    Returns:
        The image with the same aspect ratio, uint8 RGB.
    """
    from matplotlib import colormaps

    height, width = pixels.shape[:2]
    grid = grid or even_grid(heat.shape, (height, width))
    low, high = limits
    gray = cv2.cvtColor(resize_into(pixels, side), cv2.COLOR_RGB2GRAY)[..., None]
    rows, columns = gray.shape[:2]
    heat = upsample_map(heat, (rows, columns), _scaled(grid, rows / height, columns / width))
    level = np.clip((heat - low) / (high - low), 0, 1)
    color = colormaps[COLORMAP](level)[..., :3] * 255
    return np.round(OPACITY * color + (1 - OPACITY) * gray).astype(np.uint8)


def _scaled(grid: Grid, tall: float, wide: float) -> Grid:
    """The grid on the image resized by factors: the center of pixel p moves to (p + 0.5) * factor - 0.5."""
    (down, right), (top, left) = grid
    return Grid((down * tall, right * wide), ((top + 0.5) * tall - 0.5, (left + 0.5) * wide - 0.5))


def color_limits(heat: np.ndarray) -> Tuple[float, float]:
    """The minimum and maximum of a map, further apart where colors between them would show nothing but noise."""
    low, high = float(heat.min()), float(heat.max())
    return (low, high) if high - low > _FLAT else (low - _FLAT, high + _FLAT)
