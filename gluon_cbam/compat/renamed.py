"""Modules and attributes that were renamed: the old names work for one release, with a DeprecationWarning.

``import gluon_cbam.evaluation`` gives the module that :data:`RENAMED` names: the same object, so that ``isinstance``
and ``except`` clauses work with either name. Remove this module and its rows with the release after 0.2.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

RENAMED: Dict[str, str] = {
    'attachment': 'attention.attach',
    'attention.applying': 'attention.base',
    'attention.gates': 'ops.gates',
    'benchmarks.gluon': 'benchmarks.gluoncv2_workloads',
    'benchmarks.loading': 'benchmarks.loader_workloads',
    'benchmarks.of_torch': 'benchmarks.torch_workloads',
    'benchmarks.ours': 'benchmarks.cbam_workloads',
    'benchmarks.side': 'benchmarks.process',
    'benchmarks.spec': 'benchmarks.context',
    'benchmarks.subjects': 'benchmarks.engines',
    'benchmarks.timing': 'benchmarks.workload',
    'blocks': 'attention.blocks',
    'classifier': 'inference.session',
    'commands': 'cli.commands',
    'commands.bench': 'cli.commands.bench',
    'commands.convert': 'cli.commands.convert',
    'commands.data': 'cli.commands.data',
    'commands.data_reports': 'cli.commands.data_reports',
    'commands.doctor': 'cli.commands.doctor',
    'commands.explain': 'cli.commands.explain',
    'commands.explain_score': 'cli.commands.explain_score',
    'commands.export': 'cli.commands.export',
    'commands.inference': 'cli.commands.validate',
    'commands.launch': 'cli.commands.launch',
    'commands.loading': 'cli.commands.network_options',
    'commands.models': 'cli.commands.models',
    'commands.predict': 'cli.commands.predict',
    'commands.runs': 'cli.commands.runs',
    'commands.train': 'cli.commands.train',
    'commands.zoo': 'cli.commands.zoo',
    'console': 'cli.options',
    'convert.checkpoint': 'convert.files',
    'data.augmentation': 'data.loading.augmentation',
    'data.checking': 'data.records.checking',
    'data.classes': 'data.class_names',
    'data.digits': 'data.datasets.digits',
    'data.duplicates': 'data.records.duplicates',
    'data.evaluation': 'data.loading.evaluation',
    'data.images': 'data.sources.images',
    'data.inspection': 'data.records.parallel',
    'data.labels': 'data.sources.labels',
    'data.lists': 'data.preparation.lists',
    'data.masks': 'data.datasets.masks',
    'data.packing': 'data.preparation.packing',
    'data.parallel': 'common.parallel',
    'data.preparation.class_names': 'data.class_names',
    'data.preprocessing': 'data.loading.preprocessing',
    'data.recordio': 'data.records.recordio',
    'data.scenes': 'data.datasets.scenes',
    'data.shapes': 'data.datasets.shapes',
    'data.statistics': 'data.records.statistics',
    'data.structure': 'data.records.format',
    'data.tables': 'data.sources.compact_lists',
    'data.tars': 'data.sources.tars',
    'data.training': 'data.loading.training',
    'data.trees': 'data.sources.file_trees',
    'data.video': 'data.sources.video',
    'devices': 'compat.devices',
    'doctor': 'cli.diagnostics',
    'errors': 'common.errors',
    'evaluation': 'tasks.classification.evaluation',
    'explain.attention': 'explain.maps.attention',
    'explain.canvas': 'explain.figures.canvas',
    'explain.chance': 'explain.localization.baselines',
    'explain.comparison': 'explain.images.comparison',
    'explain.comparison_picture': 'explain.figures.comparison_figure',
    'explain.explaining': 'explain.images.pipeline',
    'explain.gradcam': 'explain.maps.grad_cam',
    'explain.graph': 'explain.maps.graph',
    'explain.grid': 'explain.maps.grid',
    'explain.localisation': 'explain.localization.evaluation',
    'explain.naming': 'explain.figures.output_directory',
    'explain.overlay': 'explain.figures.overlay',
    'explain.picture': 'explain.figures.image_figure',
    'explain.pictures': 'explain.figures.output_directory',
    'explain.report': 'explain.figures.html_report',
    'explain.scoring': 'explain.localization.metrics',
    'explain.stages': 'explain.maps.stages',
    'export.checking': 'export.parity',
    'export.description': 'export.metadata',
    'export.eight_bits': 'export.int8.qdq',
    'export.exporting': 'export.exporter',
    'export.graph': 'export.tracing',
    'export.onnx_file': 'export.onnx.file',
    'export.onnx_graph': 'export.onnx.graph',
    'export.operators': 'export.onnx.operators',
    'export.packages': 'common.packages',
    'export.quantization': 'export.int8.quantization',
    'export.ranges': 'export.int8.calibration',
    'export.rewriting': 'export.onnx.simplification',
    'export.scoring': 'export.runtime.evaluation',
    'export.tensors': 'weights.safetensors',
    'export.translation': 'export.onnx.translation',
    'export.tuning': 'export.onnx.engine_passes',
    'export.winograd': 'export.onnx.winograd',
    'kernels': 'ops',
    'kernels.activation': 'ops.activation',
    'kernels.building': 'ops.build',
    'kernels.convolution': 'ops.convolution',
    'kernels.forms': 'ops.backend',
    'kernels.library': 'ops.library',
    'kernels.status': 'ops.status',
    'kernels.tracing': 'ops.tracing',
    'launch.guard': 'launch.supervisor',
    'launch.ps_lite_node': 'training.distributed.server_node',
    'launch.relay': 'launch.log_forwarding',
    'launch.role': 'training.distributed.server_node',
    'memory': 'common.memory',
    'ordering': 'common.natural_sort',
    'parameter_file': 'weights.parameter_file',
    'prediction': 'inference.prediction',
    'prediction_formats': 'inference.formats',
    'published': 'pretrained.locate',
    'tables': 'common.text_table',
    'training.averaging': 'training.parameters.ema',
    'training.checkpoints': 'training.checkpoint.files',
    'training.clock': 'training.logging.throughput',
    'training.comparison': 'training.logging.comparison',
    'training.curves': 'training.logging.curves',
    'training.decay': 'training.optim.weight_decay',
    'training.engine': 'training.loop.engine',
    'training.folder': 'training.checkpoint.run_directory',
    'training.freezing': 'training.parameters.freezing',
    'training.interrupts': 'training.loop.signals',
    'training.layers': 'training.config.resolution',
    'training.loss': 'tasks.classification.loss',
    'training.meters': 'training.logging.meters',
    'training.mixing': 'tasks.classification.mixup',
    'training.optimization': 'training.optim.update',
    'training.optimizer_state': 'training.optim.state',
    'training.optimizers': 'training.optim.optimizers',
    'training.origin': 'training.checkpoint.fingerprint',
    'training.precision': 'training.optim.amp',
    'training.progress': 'training.checkpoint.state',
    'training.randomness': 'training.loop.random_state',
    'training.recipes': 'training.config.recipes',
    'training.rehearsal': 'training.loop.dry_run',
    'training.reporting': 'training.logging.reporter',
    'training.reproducing': 'training.config.command',
    'training.run': 'training.loop.trainer',
    'training.saving': 'training.checkpoint.manager',
    'training.schedule': 'training.optim.lr_schedule',
    'training.server_optimizer': 'training.distributed.server_optimizer',
    'training.settings': 'common.settings',
    'training.starting': 'training.parameters.initialization',
    'training.statistics': 'training.parameters.batch_norm',
    'training.step': 'training.loop.step',
    'training.sync_bn': 'training.parameters.sync_batch_norm',
    'training.tensorboard': 'training.logging.tensorboard',
    'training.workers': 'training.distributed',
    'training.workers.base': 'training.distributed.process_group',
    'training.workers.collective': 'training.distributed.collective',
    'training.workers.horovod': 'training.distributed.horovod',
    'training.workers.servers': 'training.distributed.parameter_server',
    'verification': 'publishing.verify',
}
"""Old name -> new name, both below ``gluon_cbam``."""

_PACKAGE = __package__.partition('.')[0]


class _Alias:
    """A loader that returns the module of the new name for the old one.

    It does not derive from a class of importlib.abc, whose import takes a tenth of the start-up of ``cbam``.
    """

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(new_name(spec.name))
        self._spec = module.__spec__  # the import of the old name replaces it
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec

    def get_code(self, fullname: str) -> Optional[CodeType]:
        """The code of the module of the new name, for ``python -m``."""
        spec = find_spec(new_name(fullname))
        return spec.loader.get_code(spec.name)  # type: ignore[union-attr]


class _Finder:
    """Finds the old names.

    It is the first finder: a renamed package has the path of the new one, in which the other finders would find a
    module whose own name stayed, and load it a second time.
    """

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if not fullname.startswith(f'{_PACKAGE}.') or new_name(fullname) == fullname:
            return None
        warnings.warn(
            f'{fullname} was renamed to {new_name(fullname)}; the old name will be removed in the next release',
            DeprecationWarning,
            stacklevel=2,
        )
        spec = find_spec(new_name(fullname))
        origin = spec.origin if spec else None  # __file__ of ``python -m``
        return ModuleSpec(fullname, _Alias(), origin=origin)  # type: ignore[arg-type]


def new_name(module: str) -> str:
    """The current name of a module.

    Args:
        module: a dotted name, old or new.

    Returns:
        The new name, or ``module`` itself if it was not renamed.
    """
    old = module.partition('.')[2]
    return f'{_PACKAGE}.{RENAMED[old]}' if old in RENAMED else module


def renamed_attributes(module: str, attributes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` (PEP 562) that returns attributes by their old names, with a warning.

    Args:
        module: ``__name__`` of the module that had the attributes.
        attributes: old name -> new dotted name below ``gluon_cbam``, such as ``common.errors.CbamError``.

    Returns:
        The function, to be assigned to ``__getattr__`` of the module.

    Example:
        >>> __getattr__ = renamed_attributes(__name__, {'OldError': 'common.errors.CbamError'})
    """

    def get(name: str) -> Any:
        if name not in attributes:
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        new = f'{_PACKAGE}.{attributes[name]}'
        warnings.warn(
            f'{module}.{name} was renamed to {new}; the old name will be removed in the next release',
            DeprecationWarning,
            stacklevel=2,
        )
        home, _, attribute = new.rpartition('.')
        return getattr(import_module(home), attribute)

    return get


def install() -> None:
    """Install the finder of the old names. Calling it again changes nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
