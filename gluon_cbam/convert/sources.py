"""How each source names its parameters, as rewriting rules to our own names. No mxnet here.

Our names are those of ``Block.save_parameters``: the path of attributes, then ``weight``, ``bias``, ``gamma``,
``beta``, ``running_mean`` or ``running_var``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Tuple

import numpy as np


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _from_keras(array: np.ndarray) -> np.ndarray:
    """Keras kernels (kh, kw, in, out) and (in, out) to (out, in, kh, kw) and (out, in); vectors stay."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T


@dataclass(frozen=True)
class Source:
    """One naming scheme.

    Attributes:
        rules: (regular expression, replacement), applied in turn to a source's name to get ours.
        ignored: regular expression of names that hold no parameter.
        layout: from the source's array layout to ours.
        dense: regular expression of our names whose 1 x 1 kernels (out, in, 1, 1) are weights (out, in) here.
    """

    rules: Tuple[Tuple[str, str], ...]
    ignored: str = r'(?!)'
    layout: Callable[[np.ndarray], np.ndarray] = _same
    dense: str = r'(?!)'

    def our_name(self, name: str) -> str:
        """Our name of a source's parameter; a name that no rule knows comes back as it is."""
        for pattern, replacement in self.rules:
            name = re.sub(pattern, replacement, name)
        return name

    def our_array(self, name: str, array: np.ndarray) -> np.ndarray:
        """A source's array in our layout, for the parameter that is called ``name`` here."""
        array = self.layout(array)
        if re.search(self.dense, name) and array.shape[2:] == (1, 1):
            return array[:, :, 0, 0]
        return array


SOURCES = {
    # Jongchan/attention-module, PyTorch state_dict; DataParallel adds 'module.'
    'official': Source(
        rules=(
            (r'^module\.', ''),
            (r'\bcbam\.', 'attention.'),
            (r'\bChannelGate\.mlp\.1\.', 'channel.fc1.'),
            (r'\bChannelGate\.mlp\.3\.', 'channel.fc2.'),
            (r'\bSpatialGate\.spatial\.', 'spatial.'),
            (r'\bbam(\d)\.', r'attention\1.'),
            (r'\bchannel_att\.gate_c\.gate_c_fc_0\.', 'channel.fc1.'),
            (r'\bchannel_att\.gate_c\.gate_c_bn_1\.', 'channel.bn.'),
            (r'\bchannel_att\.gate_c\.gate_c_fc_final\.', 'channel.fc2.'),
            (r'\bspatial_att\.gate_s\.gate_s_(conv|bn)_reduce0\.', r'spatial.\g<1>1.'),
            (r'\bspatial_att\.gate_s\.gate_s_(conv|bn)_di_0\.', r'spatial.\g<1>2.'),
            (r'\bspatial_att\.gate_s\.gate_s_(conv|bn)_di_1\.', r'spatial.\g<1>3.'),
            (r'\bspatial_att\.gate_s\.gate_s_conv_final\.', 'spatial.conv4.'),
            (r'\b(bn\d?|downsample\.1)\.weight$', r'\1.gamma'),
            (r'\b(bn\d?|downsample\.1)\.bias$', r'\1.beta'),
        ),
        ignored=r'num_batches_tracked$',
    ),
    # osmr/imgclsmob (gluoncv2), Gluon save_parameters
    'imgclsmob': Source(
        rules=(
            (r'^features\.0\.conv\.conv\.', 'conv1.'),
            (r'^features\.0\.conv\.bn\.', 'bn1.'),
            # BAM comes first in a stage there, and after the stage before it here
            *((rf'^features\.{stage + 1}\.0\.bam\.', f'attention{stage}.') for stage in (1, 2, 3)),
            (r'^features\.(\d)\.(\d+)\.(res_unit\.)?', r'layer\1.\2.'),
            (r'\bbody\.conv(\d)\.conv\.', r'conv\1.'),
            (r'\bbody\.conv(\d)\.bn\.', r'bn\1.'),
            (r'\bidentity_conv\.conv\.', 'downsample.0.'),
            (r'\bidentity_conv\.bn\.', 'downsample.1.'),
            (r'\bcbam\.ch_gate\.mlp\.', 'attention.channel.'),
            (r'\bcbam\.sp_gate\.conv\.', 'attention.spatial.'),
            (r'\bse\.(?:conv|fc)(\d)\.', r'attention.channel.fc\1.'),
            (r'\bch_att\.init_fc\.fc\.', 'channel.fc1.'),
            (r'\bch_att\.init_fc\.bn\.', 'channel.bn.'),
            (r'\bch_att\.final_fc\.', 'channel.fc2.'),
            (r'\bsp_att\.init_conv\.(conv|bn)\.', r'spatial.\g<1>1.'),
            (r'\bsp_att\.dil_convs\.0\.(conv|bn)\.', r'spatial.\g<1>2.'),
            (r'\bsp_att\.dil_convs\.1\.(conv|bn)\.', r'spatial.\g<1>3.'),
            (r'\bsp_att\.final_conv\.', 'spatial.conv4.'),
            (r'^output\.1\.', 'fc.'),
        ),
        dense=r'\bfc\d\.weight$',
    ),
    # NikolasMarkou/dl_techniques, Keras 3 weight paths
    'keras': Source(
        rules=(
            (r'^stage_(\d+)_(conv|bn)/', r'stages.\1.\2.'),
            (
                r'^stage_(\d+)_cbam/channel_attention/channel_attention_dense_(\d)/',
                r'stages.\1.attention.channel.fc\2.',
            ),
            (r'^stage_(\d+)_cbam/spatial_attention/spatial_attention_conv/', r'stages.\1.attention.spatial.conv.'),
            (r'^classifier/', 'fc.'),
            (r'\bkernel$', 'weight'),
            (r'\bmoving_mean$', 'running_mean'),
            (r'\bmoving_variance$', 'running_var'),
        ),
        layout=_from_keras,
    ),
}
"""Source -> its naming scheme."""
