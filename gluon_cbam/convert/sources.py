"""The names that each source gives its parameters, as rewriting rules to our names and back, without mxnet.

Our names are those of ``Block.save_parameters``: the path of attributes, then ``weight``, ``bias``, ``gamma``,
``beta``, ``running_mean`` or ``running_var``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Tuple

import numpy as np

from . import gluoncv


def _same(array: np.ndarray) -> np.ndarray:
    """The array itself."""
    return array


def _from_keras(array: np.ndarray) -> np.ndarray:
    """Keras kernels (kh, kw, in, out) and (in, out) to (out, in, kh, kw) and (out, in); vectors are not changed."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T


def _to_keras(array: np.ndarray) -> np.ndarray:
    """The inverse of :func:`_from_keras`."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


@dataclass(frozen=True)
class Source:
    """The naming scheme of a source.

    Attributes:
        rules: (regular expression, replacement), applied in turn to a name of the source to get ours.
        back: the same from our names to those of the source.
        names: regular expression that every name of the source matches; a parameter whose rewritten name does not match
            is one that the source does not have.
        ignored: regular expression of names that are not parameters of the network.
        layout: function from the array layout of the source to ours.
        layout_back: function from our array layout to the layout of the source.
        kernels: regular expression of the names of the source whose arrays are convolution kernels (out, in, 1, 1),
            where ours are dense weights (out, in).
        prepare: function from all arrays of a file to those that the rules are applied to.
        check: function of a network and the arrays of a file, which raises a DataError where they do not fit.
    """

    rules: Tuple[Tuple[str, str], ...]
    back: Tuple[Tuple[str, str], ...]
    names: str
    ignored: str = r'(?!)'
    layout: Callable[[np.ndarray], np.ndarray] = _same
    layout_back: Callable[[np.ndarray], np.ndarray] = _same
    kernels: str = r'(?!)'
    prepare: Callable[[Mapping[str, np.ndarray]], Dict[str, np.ndarray]] = dict
    check: Callable[[Any, Mapping[str, np.ndarray]], None] = lambda net, arrays: None

    def our_name(self, name: str) -> str:
        """Return our name for a parameter of the source; a name that no rule matches is returned as it is."""
        return _rewritten(name, self.rules)

    def their_name(self, name: str) -> Optional[str]:
        """Return the name of the source for a parameter of ours, or None if the source has no such parameter."""
        theirs = _rewritten(name, self.back)
        return theirs if re.search(self.names, theirs) and self.our_name(theirs) == name else None

    def our_array(self, their_name: str, array: np.ndarray) -> np.ndarray:
        """Return an array of the source in our layout."""
        array = self.layout(array)
        return array[:, :, 0, 0] if re.search(self.kernels, their_name) and array.shape[2:] == (1, 1) else array

    def their_array(self, their_name: str, array: np.ndarray) -> np.ndarray:
        """Return an array of ours in the layout of the source."""
        array = self.layout_back(array)
        return array[:, :, None, None] if re.search(self.kernels, their_name) else array


def _rewritten(name: str, rules: Iterable[Tuple[str, str]]) -> str:
    """A name after all rules."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


SOURCES: Dict[str, Source] = {
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
        back=(
            (r'^attention(\d)\.channel\.fc1\.', r'bam\1.channel_att.gate_c.gate_c_fc_0.'),
            (r'^attention(\d)\.channel\.bn\.', r'bam\1.channel_att.gate_c.gate_c_bn_1.'),
            (r'^attention(\d)\.channel\.fc2\.', r'bam\1.channel_att.gate_c.gate_c_fc_final.'),
            (r'^attention(\d)\.spatial\.(conv|bn)1\.', r'bam\1.spatial_att.gate_s.gate_s_\2_reduce0.'),
            (r'^attention(\d)\.spatial\.(conv|bn)2\.', r'bam\1.spatial_att.gate_s.gate_s_\2_di_0.'),
            (r'^attention(\d)\.spatial\.(conv|bn)3\.', r'bam\1.spatial_att.gate_s.gate_s_\2_di_1.'),
            (r'^attention(\d)\.spatial\.conv4\.', r'bam\1.spatial_att.gate_s.gate_s_conv_final.'),
            (r'\battention\.', 'cbam.'),
            (r'\bchannel\.fc1\.', 'ChannelGate.mlp.1.'),
            (r'\bchannel\.fc2\.', 'ChannelGate.mlp.3.'),
            (r'\bspatial\.', 'SpatialGate.spatial.'),
            (r'\bgamma$', 'weight'),
            (r'\bbeta$', 'bias'),
        ),
        names=(
            r'^((conv|bn)1|layer\d\.\d+\.(conv\d|bn\d|downsample|cbam\.(Channel|Spatial)Gate)|bam\d\.(channel|spatial)_att'
            r'|fc|ChannelGate|SpatialGate)\.'
        ),
        ignored=r'num_batches_tracked$',
    ),
    # osmr/imgclsmob (gluoncv2), Gluon save_parameters
    'imgclsmob': Source(
        rules=(
            (r'^features\.0\.conv\.conv\.', 'conv1.'),
            (r'^features\.0\.conv\.bn\.', 'bn1.'),
            # in imgclsmob BAM is the first block of a stage, here it follows the previous stage
            *((rf'^features\.{stage + 1}\.0\.bam\.', f'attention{stage}.') for stage in (1, 2, 3)),
            (r'^features\.(\d)\.(\d+)\.(res_unit\.)?', r'layer\1.\2.'),
            (r'\bbody\.conv(\d)\.conv\.', r'conv\1.'),
            (r'\bbody\.conv(\d)\.bn\.', r'bn\1.'),
            (r'\bidentity_conv\.conv\.', 'downsample.0.'),
            (r'\bidentity_conv\.bn\.', 'downsample.1.'),
            (r'\bcbam\.ch_gate\.mlp\.', 'attention.channel.'),
            (r'\bcbam\.sp_gate\.conv\.', 'attention.spatial.'),
            (r'\bse\.conv(\d)\.', r'attention.gate.fc\1.'),
            (r'\bch_att\.init_fc\.fc\.', 'channel.fc1.'),
            (r'\bch_att\.init_fc\.bn\.', 'channel.bn.'),
            (r'\bch_att\.final_fc\.', 'channel.fc2.'),
            (r'\bsp_att\.init_conv\.(conv|bn)\.', r'spatial.\g<1>1.'),
            (r'\bsp_att\.dil_convs\.0\.(conv|bn)\.', r'spatial.\g<1>2.'),
            (r'\bsp_att\.dil_convs\.1\.(conv|bn)\.', r'spatial.\g<1>3.'),
            (r'\bsp_att\.final_conv\.', 'spatial.conv4.'),
            (r'^output\.1\.', 'fc.'),
        ),
        back=(
            (r'\battention\.gate\.fc(\d)\.', r'se.conv\1.'),
            (r'\battention\.channel\.', 'cbam.ch_gate.mlp.'),
            (r'\battention\.spatial\.', 'cbam.sp_gate.conv.'),
            (r'\bdownsample\.0\.', 'identity_conv.conv.'),
            (r'\bdownsample\.1\.', 'identity_conv.bn.'),
            (r'^(layer\d\.\d+)\.conv(\d)\.', r'\1.body.conv\2.conv.'),
            (r'^(layer\d\.\d+)\.bn(\d)\.', r'\1.body.conv\2.bn.'),
            (r'^(conv|bn)1\.', r'features.0.conv.\1.'),
            (r'^layer(\d)\.', r'features.\1.'),
            (r'^fc\.', 'output.1.'),
        ),
        names=r'^(features\.0\.conv|features\.\d\.\d+\.(body|identity_conv|cbam|se)|output\.1)\.',
        kernels=r'\bse\.conv\d\.weight$',
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
        back=(
            (r'\bweight$', 'kernel'),
            (r'\brunning_mean$', 'moving_mean'),
            (r'\brunning_var$', 'moving_variance'),
            (r'^stages\.(\d+)\.(conv|bn)\.', r'stage_\1_\2/'),
            (
                r'^stages\.(\d+)\.attention\.channel\.fc(\d)\.',
                r'stage_\1_cbam/channel_attention/channel_attention_dense_\2/',
            ),
            (r'^stages\.(\d+)\.attention\.spatial\.conv\.', r'stage_\1_cbam/spatial_attention/spatial_attention_conv/'),
            (r'^fc\.', 'classifier/'),
        ),
        names='^(stage_|classifier/)',
        layout=_from_keras,
        layout_back=_to_keras,
    ),
    # bruinxiong/Modified-CBAMnet.mxnet, arguments and auxiliary states of the symbol; a checkpoint of insightface's
    # training also has the layer of its loss, fc7
    'modified': Source(
        rules=(
            (r'^(arg|aux):', ''),
            (r'^cbam_conv1_conv2d_', 'stem.conv.'),
            (r'^cbam_conv1_bn1_batchnorm_', 'stem.bn.'),
            (r'^cbam_conv1_bn1_prelu_gamma$', 'stem.act.alpha'),
            (r'^stage(\d)_unit(\d+)_', r'layer\1.unit\2.'),
            (r'\.cbam_ca_(avg|max)_(fc\d)_conv2d_', r'.attention.\1.\2.'),
            (r'\.cbam_ca_(avg|max)_prelu_prelu_gamma$', r'.attention.\1.act.alpha'),
            (r'\.cbam_sa_conv_conv2d_', '.attention.spatial.'),
            (r'_ibn_in1_', '.ibn.instance.'),
            (r'_ibn_batchnorm_', '.ibn.batch.'),
            (r'_batchnorm_', '.bn.'),
            (r'_conv2d_', '.conv.'),
            (r'_prelu_gamma$', '.act.alpha'),
            (r'^(relu1|fc1_relu)_gamma$', r'head.\1.alpha'),
            (r'^(bn1|pre_fc1|fc1)_', r'head.\1.'),
            (r'\bmoving_(mean|var)$', r'running_\1'),
        ),
        back=(
            (r'^stem\.conv\.', 'cbam_conv1_conv2d_'),
            (r'^stem\.bn\.', 'cbam_conv1_bn1_batchnorm_'),
            (r'^stem\.act\.alpha$', 'cbam_conv1_bn1_prelu_gamma'),
            (r'^layer(\d)\.unit(\d+)\.', r'stage\1_unit\2_'),
            (r'_attention\.(avg|max)\.(fc\d)\.', r'_cbam_ca_\1_\2_conv2d_'),
            (r'_attention\.(avg|max)\.act\.alpha$', r'_cbam_ca_\1_prelu_prelu_gamma'),
            (r'_attention\.spatial\.', '_cbam_sa_conv_conv2d_'),
            (r'\.ibn\.instance\.', '_ibn_in1_'),
            (r'\.ibn\.batch\.', '_ibn_batchnorm_'),
            (r'\.bn\.', '_batchnorm_'),
            (r'\.conv\.', '_conv2d_'),
            (r'\.act\.alpha$', '_prelu_gamma'),
            (r'^head\.(\w+)\.alpha$', r'\1_gamma'),
            (r'^head\.(\w+)\.', r'\1_'),
            (r'running_(mean|var)$', r'moving_\1'),
        ),
        names=r'^\w+$',
        ignored=r'^(arg:)?fc7_(weight|bias)$',
    ),
    # dmlc/gluon-cv, SSD and Faster R-CNN, see gluoncv.py, Gluon save_parameters; its files are read only
    'gluoncv': Source(
        rules=(),
        back=(),
        names=r'(?!)',
        ignored=gluoncv.IGNORED,
        prepare=gluoncv.our_arrays,
        check=gluoncv.check,
    ),
}
"""Source -> its naming scheme."""
