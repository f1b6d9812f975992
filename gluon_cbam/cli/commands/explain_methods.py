"""What explains the images of ``cbam explain``: a network in mxnet, or an exported file without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.listing import listed

from .explain_boxes import check_box_method
from .network_options import load, load_exported

if TYPE_CHECKING:
    from gluon_cbam.explain.images.explainer import Explainer
    from gluon_cbam.explain.images.network_explainer import NetworkExplainer
    from gluon_cbam.export.runtime import ExportedNetwork


def network_explainer(
    method: str, batch_size: int, layer: Optional[str], samples: Optional[int], **options: Any
) -> NetworkExplainer:
    """The explainer of the network that the options of ``cbam explain`` name.

    Args:
        method: ``--method``.
        batch_size: ``--batch-size``.
        layer: ``--layer``.
        samples: ``--samples``.
        **options: see :func:`.network_options.load`.

    Raises:
        UsageError: an unknown method, or an option that it does not take.
        CbamError: see :func:`.network_options.load`.
    """
    from gluon_cbam.explain.maps.methods import find_method

    samples = _checked_samples(method, samples)
    if layer and not find_method(method).differentiates:
        raise UsageError(f'{method} is of the pixels and takes no --layer, got {layer!r}')
    loaded, ctx = load(**options)
    check_box_method(loaded, method)
    from gluon_cbam.explain.images.network_explainer import NetworkExplainer  # imports mxnet

    return NetworkExplainer(loaded, ctx[0], method, layer, samples, batch_size)


def exported_explainer(
    exported: str,
    placement: Dict[str, Any],
    method: str,
    batch_size: int,
    stages: Optional[str],
    layer: Optional[str],
    samples: Optional[int],
    **options: Any,
) -> Tuple[Explainer, ExportedNetwork]:
    """The explainer of an exported file, by a method that needs neither gradients nor mxnet, and the loaded file.

    Args:
        exported: ``--exported``.
        placement: the options :data:`.network_options.PLACEMENT` by name.
        method: ``--method``.
        batch_size: ``--batch-size``.
        stages: ``--stages``, which must not be given.
        layer: ``--layer``, which must not be given.
        samples: ``--samples``.
        **options: see :func:`.network_options.load_exported`.

    Raises:
        UsageError: a method or an option that needs mxnet.
        CbamError: see :func:`.network_options.load_exported`.
    """
    from gluon_cbam.explain.images.explainer import PerturbationExplainer
    from gluon_cbam.explain.maps.methods import EXPLAIN_METHODS, find_method
    from gluon_cbam.export.runtime.session import exported_session

    if find_method(method).differentiates:
        able = listed((name for name, row in EXPLAIN_METHODS.items() if not row.differentiates), 'or')
        raise UsageError(f'{method} needs gradients, and so MXNet and --params: an exported file takes {able}')
    if stages or layer:
        raise UsageError('--stages and --layer look inside a network, and so need MXNet and --params: leave them out')
    samples = _checked_samples(method, samples)
    loaded = load_exported(exported, placement, **options)
    return PerturbationExplainer(exported_session(loaded), method, samples, batch_size), loaded


def _checked_samples(method: str, samples: Optional[int]) -> int:
    from gluon_cbam.explain.maps.perturbation import SAMPLES

    if samples is not None and method != 'rise':
        raise UsageError(f'--samples is for --method rise, got {method}: leave it out')
    return samples or SAMPLES
