"""What an exported file says about itself, so that whoever runs it needs nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Dict, List, Mapping, Optional

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks import DEFAULT

if TYPE_CHECKING:
    from gluon_cbam.inference.network import LoadedNetwork

FLOATS, PIXELS = 'NCHW float32', 'NHWC uint8'
"""What goes in: normalised floats, or RGB pixels where the preprocessing is inside."""
_MARK = 'gluon_cbam.'


@dataclass(frozen=True)
class Description:
    """A network without its graph.

    Attributes:
        network: its name.
        classes: outputs; 0 for maps of features.
        class_names: in the order of the outputs, or None.
        preprocessing: as of :meth:`.Preprocessing.as_dict`.
        input: :data:`FLOATS` or :data:`PIXELS`.
        params_sha256: of the parameter file; None for random weights.
        task: that the network was trained for; None for classification, and not written then.
    """

    network: str
    classes: int
    class_names: Optional[List[str]]
    preprocessing: dict
    input: str
    params_sha256: Optional[str]
    task: Optional[str] = None

    @classmethod
    def of(cls, loaded: LoadedNetwork, pixels: bool, features: bool = False) -> Description:
        """That of a network with weights.

        Args:
            loaded: the network.
            pixels: whether its preprocessing goes into the file.
            features: whether maps of features come out.
        """
        return cls(
            loaded.name,
            0 if features else getattr(loaded.net, 'outputs', loaded.classes),
            None if features else loaded.class_names,
            loaded.preprocessing.as_dict(),
            PIXELS if pixels else FLOATS,
            loaded.params_sha256,
            None if loaded.task.name == DEFAULT else loaded.task.name,
        )

    def as_texts(self) -> Dict[str, str]:
        """The attributes as ONNX holds them, text by name."""
        values = {name: value for name, value in asdict(self).items() if name != 'task' or value is not None}
        return {_MARK + name: json.dumps(value) for name, value in values.items()}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], where: str) -> Description:
        """The way back.

        Raises:
            DataError: they are not those of a file that this package exported.
        """
        try:
            names = [name for name in cls.__dataclass_fields__ if name != 'task' or _MARK + name in texts]
            values = {name: json.loads(texts[_MARK + name]) for name in names}
            found = cls(**values)
            Preprocessing.from_dict(found.preprocessing)
        except KeyError as error:
            raise DataError(f'{where}: was not written by cbam export: it does not say {error}') from None
        except (ValueError, TypeError) as error:
            raise DataError(f'{where}: its description is damaged ({error})') from None
        if found.input not in (FLOATS, PIXELS) or not isinstance(found.classes, int) or found.classes < 0:
            raise DataError(f'{where}: its description is damaged ({found.classes!r} classes, input {found.input!r})')
        return found
