"""Checks of this machine and installation, with a remedy for each failure.

Each package is imported in a separate process, since a broken installation can crash the process that imports it.
"""

from __future__ import annotations

import platform
import shutil
from dataclasses import asdict, dataclass, replace
from typing import Callable, Dict, List, Optional

from gluon_cbam.common import errors
from gluon_cbam.compat import cuda, platforms, versions
from gluon_cbam.compat.threads import physical_cores
from gluon_cbam.export.runtime.installed import onnxruntime_packages
from gluon_cbam.export.runtime.providers import PROVIDERS
from gluon_cbam.installation.probe import RUN_MXNET, probe
from gluon_cbam.ops import status as ops_status

_ONNXRUNTIME = 'onnxruntime'


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: name of the checked part.
        ok: whether it works.
        detail: the finding, in one line.
        remedy: how to repair it; empty if it works.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ''

    def as_dict(self) -> dict:
        """The attributes by name, as values for JSON."""
        return asdict(self)


def diagnose() -> List[Check]:
    """Run all checks.

    Returns:
        The result of each check, in a fixed order.
    """
    return [check() for check in _CHECKS]


def _python() -> Check:
    python = platform.python_version()
    ok = versions.supports_python()
    return Check('python', ok, python, '' if ok else versions.USE_PYTHON)


def _versions() -> Check:
    numpy = versions.installed('numpy')
    try:
        versions.require_supported()
    except errors.DependencyError as error:
        return Check('numpy', False, f'numpy {numpy}', str(error))
    return Check('numpy', True, f'numpy {numpy}')


def _mxnet() -> Check:
    found = versions.mxnet_distributions()
    if not found:
        here = platforms.wheels()
        if not here.supported:  # nothing to repair
            return Check('mxnet', True, f'not installed: {platforms.without_mxnet()}')
        return Check('mxnet', False, 'not installed', platforms.without_mxnet())
    if len(found) > 1:
        remedy = "both bring the package mxnet: 'cbam setup cpu --force' or 'cbam setup cu117 --force' leaves one"
        return Check('mxnet', False, ' and '.join(found), remedy)
    check = _import_probe('mxnet', RUN_MXNET, f'cbam setup --force installs it again ({found[0]})')
    return replace(check, detail=f'{check.detail} ({_origin(found[0])})') if check.ok else check


def _origin(distribution: str) -> str:
    """How mxnet was installed: with its own requirements, or beside packages that these exclude."""
    installer = versions.installer(distribution) or 'an unknown program'
    numpy = versions.installed('numpy') or ''
    beside = f', beside numpy {numpy}, which its own requirements exclude' if int(numpy.split('.')[0]) >= 2 else ''
    return f'{distribution}, installed by {installer}{beside}'


def _opencv() -> Check:
    distributions = [name for name in ('opencv-python', 'opencv-python-headless') if versions.installed(name)]
    remedy = (
        'apt-get install libgl1 libglib2.0-0, or '
        "pip install --force-reinstall --no-deps 'opencv-python-headless>=4.11,<6'"
    )
    check = _import_probe('cv2', 'print(cv2.__version__)', remedy, 'opencv')
    return replace(check, detail=f'{check.detail} ({" and ".join(distributions) or "unknown"})') if check.ok else check


def _gluoncv() -> Check:
    if versions.installed('gluoncv') is None:
        return Check('gluoncv', True, "not installed; gluon_cbam.gluoncv needs it: pip install 'gluon_cbam[gluoncv]'")
    return _import_probe('gluoncv', 'print(gluoncv.__version__)', 'pip install gluoncv==0.10.5.post0')


def _gpu() -> Check:
    capabilities = cuda.compute_capabilities()
    if not versions.mxnet_is_gpu_build():
        mxnet = 'mxnet is the CPU build' if versions.mxnet_distributions() else 'without mxnet'
        detail = f'{len(capabilities)} GPUs seen, {mxnet}'
        return Check('gpu', True, detail)
    if not capabilities:
        return Check('gpu', False, 'no GPU, or no NVIDIA driver', "install the driver, or 'cbam setup cpu --force'")
    usable = [capability for capability in capabilities if cuda.has_code_for(capability)]
    detail = f'{len(usable)} of {len(capabilities)} GPUs usable: ' + ', '.join(f'{a}.{b}' for a, b in capabilities)
    remedy = '' if usable else 'mxnet-cu117 has code for compute capability 5.0 to 8.9 only: use such a GPU, or the CPU'
    return Check('gpu', bool(usable), detail, remedy)


def _kernels() -> Check:
    found = ops_status.operators_status()
    if found.is_fault:
        return Check('kernels', False, found.detail, found.remedy)
    if not found.ok:  # not a failure: the networks run without them, only slower
        return Check('kernels', True, f'{found.detail}: {found.remedy}' if found.remedy else found.detail)
    module, code = 'gluon_cbam.ops.library', 'print(gluon_cbam.ops.library.open_library().instructions)'
    best = _import_probe(module, code, ops_status.REPAIR, 'kernels', {ops_status.LIMIT: ''})
    if not best.ok:
        return best
    forced = ops_status.forced_instructions()
    if not forced:
        return replace(best, detail=f'compiled, {best.detail}, the best that this processor has')
    used = _import_probe(module, code, f'unset {ops_status.LIMIT}', 'kernels')
    because = f', forced by {ops_status.LIMIT}; this processor has {best.detail}'
    return replace(used, detail=f'compiled, {used.detail}{because}') if used.ok else used


def _onnxruntime() -> Check:
    packages = [f'{name} {version}' for name, version in onnxruntime_packages().items()]
    if not packages:
        return Check(_ONNXRUNTIME, True, "not installed; it runs exported files: pip install 'gluon_cbam[onnx]'")
    if len(packages) > 1:
        remedy = f'all are imported as onnxruntime: pip uninstall {" ".join(onnxruntime_packages())}, then install one'
        return Check(_ONNXRUNTIME, False, ' and '.join(packages), remedy)
    code = 'print(*onnxruntime.get_available_providers())'
    probe = _import_probe(_ONNXRUNTIME, code, f'pip install --force-reinstall {packages[0].split()[0]}')
    found = [name for name, row in PROVIDERS.items() if row.name in probe.detail.split()]
    return replace(probe, detail=f'{packages[0]}, providers {", ".join(found)}') if probe.ok else probe


def _openvino() -> Check:
    if versions.installed('openvino') is None:
        return Check('openvino', True, "not installed; it runs exported files: pip install 'gluon_cbam[openvino]'")
    module = 'gluon_cbam.export.runtime.openvino_engine'
    code = f'print(*(f"{{name}} ({{full}})" for name, full in {module}.openvino_devices().items()), sep=", ")'
    probe = _import_probe(module, code, 'pip install --force-reinstall openvino', 'openvino')
    detail = f'openvino {versions.installed("openvino")}, devices {probe.detail}'
    return replace(probe, detail=detail) if probe.ok else probe


def _threads() -> Check:
    return Check('threads', True, f'{physical_cores()} physical cores for this process')


def _disk() -> Check:
    free = shutil.disk_usage('.').free / 2**30
    return Check('disk', free > 1, f'{free:.1f} GiB free here', '' if free > 1 else 'free some space for checkpoints')


def _import_probe(
    module: str, code: str, remedy: str, name: str = '', environment: Optional[Dict[str, str]] = None
) -> Check:
    """Import a module in a separate process, and run a line of code with it."""
    found = probe(module, code, environment)
    return Check(name or module, found.ok, found.text, '' if found.ok else found.remedy or remedy)


_CHECKS: List[Callable[[], Check]] = [
    _python,
    _versions,
    _mxnet,
    _gluoncv,
    _opencv,
    _kernels,
    _gpu,
    _onnxruntime,
    _openvino,
    _threads,
    _disk,
]
