"""Overlay of a map on the network's input image, in the colors of a colormap."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np

from gluon_cbam.explain.maps.grid import Grid, even_grid, upsample_map

COLORMAP = 'turbo'
"""The colormap, one of matplotlib's."""
OPACITY = 0.55
"""Opacity of the map, in 0..1. The image below it is gray, so that all colors are the map's."""
_FLAT = 1e-3  # a map whose range is smaller is drawn in one color
PIXELATED = 4
"""Images enlarged by at least this factor show their pixels as squares."""


def resize_square(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resize a square image for display.

    Args:
        pixels: (S, S, 3) uint8.
        side: height and width of the result, in pixels.

    Returns:
        (side, side, 3) uint8.
    """
    scale = side / len(pixels)
    method = cv2.INTER_NEAREST if scale >= PIXELATED else cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    return cv2.resize(pixels, (side, side), interpolation=method)


def overlay_map(
    pixels: np.ndarray, heat: np.ndarray, grid: Optional[Grid], limits: Tuple[float, float], side: int
) -> np.ndarray:
    """Draw a map over an image.

    Args:
        pixels: (S, S, 3) uint8 RGB, the network's input.
        heat: (H, W) float, the map.
        grid: positions of the map's cells; None for cells that divide the image evenly.
        limits: values at both ends of the colormap.
        side: height and width of the result, in pixels.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    from matplotlib import colormaps

    height, width = pixels.shape[:2]
    grid = grid or even_grid(heat.shape, (height, width))
    low, high = limits
    level = np.clip((upsample_map(heat, (side, side), _scaled(grid, side / height)) - low) / (high - low), 0, 1)
    color = colormaps[COLORMAP](level)[..., :3] * 255
    gray = cv2.cvtColor(resize_square(pixels, side), cv2.COLOR_RGB2GRAY)[..., None]
    return np.round(OPACITY * color + (1 - OPACITY) * gray).astype(np.uint8)


def _scaled(grid: Grid, scale: float) -> Grid:
    """The grid on the image resized by a factor: the center of pixel p moves to (p + 0.5) * scale - 0.5."""
    (down, right), (top, left) = grid
    return Grid((down * scale, right * scale), ((top + 0.5) * scale - 0.5, (left + 0.5) * scale - 0.5))


def color_limits(heat: np.ndarray) -> Tuple[float, float]:
    """The minimum and maximum of a map, further apart where colors between them would show nothing but noise."""
    low, high = float(heat.min()), float(heat.max())
    return (low, high) if high - low > _FLAT else (low - _FLAT, high + _FLAT)
