"""The metadata of an exported file, so that running it needs nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Dict, List, Mapping, Optional

from gluon_cbam.common.documents import parse_json
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.zoo.schema import decode

FLOATS, PIXELS, RAW = 'NCHW float32', 'NHWC uint8', 'NCHW float32 in 0..255'
"""The inputs of exported files: normalized floats; RGB pixels, or floats of pixels, where the file normalizes them."""
SYMBOL_SUFFIX = '-symbol.json'
"""End of the name of a symbol's file, as ``mxnet.model.load_checkpoint`` expects it."""
_PREFIX = 'gluon_cbam.'
_OPTIONAL = ('task', 'embeddings', 'nms', 'dynamic', 'smallest')


@dataclass(frozen=True)
class ExportMetadata:
    """The metadata of an exported network.

    Attributes:
        network: its name.
        classes: number of classes; 0 for feature maps.
        class_names: the names of the classes, in the order of the outputs, or None.
        preprocessing: see :meth:`gluon_cbam.data.loading.preprocessing.Preprocessing.as_dict`.
        input: :data:`FLOATS`, :data:`PIXELS` or :data:`RAW`.
        params_sha256: the SHA-256 of the parameter file; None for random weights.
        task: the task that the network was trained for; None for classification, which is not written.
        embeddings: True for a network that gives embeddings, of ``classes`` numbers; None for others, and in files of
            former versions.
        nms: False for a detector that gives the boxes and scores of all its anchors; None for others.
        dynamic: True where height and width of the images are free; None where they are ``image_size``.
        smallest: the smallest height and width, where they are free and not from 1; None for others, and in files of
            former versions.
    """

    network: str
    classes: int
    class_names: Optional[List[str]]
    preprocessing: Dict[str, Any]
    input: str
    params_sha256: Optional[str]
    task: Optional[str] = None
    embeddings: Optional[bool] = None
    nms: Optional[bool] = None
    dynamic: Optional[bool] = None
    smallest: Optional[int] = None

    @property
    def input_preprocessing(self) -> Preprocessing:
        """The preprocessing of the images that the file is given; without normalization where the file does that."""
        preprocessing = Preprocessing.from_dict(self.preprocessing)
        if self.input != RAW:
            return preprocessing
        channels = preprocessing.channels
        return replace(preprocessing, mean=(0.0,) * channels, std=(1 / 255,) * channels)

    def as_texts(self) -> Dict[str, str]:
        """The attributes as metadata properties of ONNX: JSON by key."""
        values = {name: value for name, value in asdict(self).items() if name not in _OPTIONAL or value is not None}
        return {_PREFIX + name: json.dumps(value) for name, value in values.items()}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], where: str) -> ExportMetadata:
        """Read the metadata properties that :meth:`as_texts` made.

        Args:
            texts: JSON by key; other keys are ignored.
            where: path of the file, for messages.

        Raises:
            DataError: a key is missing or its value is damaged.
        """
        try:
            names = [name for name in cls.__dataclass_fields__ if name not in _OPTIONAL or _PREFIX + name in texts]
            values = {name: parse_json(texts[_PREFIX + name], name) for name in names}
            found = decode(cls, values, 'a value')
            decode(Preprocessing, found.preprocessing, 'preprocessing')
        except KeyError as error:
            raise DataError(f'{where}: was not written by cbam export: the key {error} is missing') from None
        except (ValueError, TypeError) as error:
            raise DataError(f'{where}: its metadata is damaged ({error})') from None
        if found.input not in (FLOATS, PIXELS, RAW) or not isinstance(found.classes, int) or found.classes < 0:
            raise DataError(f'{where}: its metadata is damaged ({found.classes!r} classes, input {found.input!r})')
        return found
