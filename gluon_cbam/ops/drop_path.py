"""Drop path, also called stochastic depth: residual branches that are left out at random while training.

Source: Huang et al., ECCV 2016, arXiv 1603.09382, section 3; the branches that are kept are divided by the probability
to keep one, as timm does, so that nothing is scaled outside training (the paper scales there, equation 5).
"""

from __future__ import annotations

from typing import List

import numpy as np

from gluon_cbam.common.types import OpNamespace, Tensor

from .tracing import is_traced_for_export, is_traced_for_inference


def path_rates(rate: float, blocks: int) -> List[float]:
    """The rate of each block: linear in its depth, from 0 at the first to ``rate`` at the last, as in timm.

    Args:
        rate: the probability that the last block is left out, in [0, 1).
        blocks: number of residual blocks.

    Raises:
        ValueError: the rate is no number in [0, 1).
    """
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise ValueError(f'drop_path must be a number of at least 0 and below 1, got {rate!r}')
    return np.linspace(0, rate, blocks).tolist()


def drop_path(F: OpNamespace, x: Tensor, rate: float) -> Tensor:
    """Leave out the values of samples at random while training, and divide those of the others by ``1 - rate``.

    The random numbers are those of MXNet's Dropout, which draws anew in each step; one number for a sample, since the
    mask is shared over the other axes. Graphs for inference and for export have no such operator.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        x: the residual branch, or a gate that it is multiplied by, (N, C, H, W).
        rate: the probability that a sample's values are left out.

    Returns:
        (N, C, H, W).
    """
    if rate == 0 or is_traced_for_inference() or is_traced_for_export():
        return x
    return F.Dropout(x, p=rate, axes=(1, 2, 3), cudnn_off=True)  # cuDNN's draws do not follow from MXNet's seed
