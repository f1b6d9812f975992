"""Compiles the operators of native/, with ``python -m gluon_cbam.ops.build`` and at installation.

It needs a C++17 compiler (GCC 8 or later; ``CXX`` names it) and mxnet's headers, which are in its wheel. It imports
nothing of this package, since setup.py loads it by its path.

A compiled library ends with a trailer: a magic number, the SHA-256 of everything before the trailer, and the SHA-256 of
the sources and flags that it was compiled from. :func:`fault` compares these before the library is loaded, since
loading a damaged one may end the process by a signal. The dynamic loader ignores bytes after the sections of a file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, Optional

SOURCES = Path(__file__).parent / 'native'
LIBRARY = Path(__file__).parent / 'libcbam_operators.so'
_FLAGS = '-std=gnu++17 -O3 -fPIC -fopenmp -fno-math-errno -fno-trapping-math -Wall -Wextra'
# warnings about GCC's vector types as arguments, and about inlined code of mxnet's headers
_QUIET = '-Wno-psabi -Wno-maybe-uninitialized'
# definitions with which the wheel of mxnet 1.9.1 was compiled; native/mxnet_abi.h explains the first
_DEFINITIONS = {
    '_GLIBCXX_USE_CXX11_ABI': 0,
    'MXNET_USE_MKLDNN': 1,
    'MXNET_USE_OPENMP': 1,
    'MXNET_USE_CUDA': 0,
    'MSHADOW_USE_CUDA': 0,
    'MSHADOW_USE_CBLAS': 0,
    'MSHADOW_USE_MKL': 0,
    'MSHADOW_USE_F16C': 0,
    'DMLC_USE_CXX11': 1,
    'DMLC_LOG_FATAL_THROW': 1,
}

MANYLINUX = 'manylinux_2_27_x86_64'
"""The tag of wheels with the operators."""
# the newest versions of symbols that it allows: glibc's, and those of GCC 7
_SYMBOLS = {'GLIBC': (2, 27), 'GLIBCXX': (3, 4, 24), 'CXXABI': (1, 3, 11)}

_TRAILER = b'CBAM-OPERATORS-1'
_DIGEST_BYTES = hashlib.sha256().digest_size


class CannotBuild(Exception):
    """The operators cannot be compiled here; the message is the reason, one line."""


def compiler() -> List[str]:
    """Find the C++ compiler: ``CXX`` in the environment, or g++.

    Returns:
        The command and its first arguments.

    Raises:
        CannotBuild: there is no compiler, or mxnet has no wheel for this machine.
    """
    if sys.platform != 'linux' or platform.machine() != 'x86_64':
        raise CannotBuild(f'mxnet 1.9.1 has no wheel for {sys.platform} on {platform.machine()}')
    command = shlex.split(os.environ.get('CXX', 'g++'))
    if not command or not shutil.which(command[0]):
        raise CannotBuild(f'no C++ compiler {" ".join(command)!r}: install g++, or set CXX')
    return command


def build(target: Path = LIBRARY) -> Path:
    """Compile the operators.

    Args:
        target: the library, replaced at once after everything was compiled; default: the one that the package loads.

    Returns:
        ``target``.

    Raises:
        CannotBuild: there is no compiler or no header, or the compiler failed.
    """
    flags = [*_FLAGS.split(), *_QUIET.split(), *(f'-D{name}={value}' for name, value in _DEFINITIONS.items())]
    for headers in _headers():
        flags += ['-isystem', str(headers)]
    command = compiler()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        sources = sorted(SOURCES.glob('*.cc'))
        objects = [Path(folder, f'{source.stem}.o') for source in sources]
        steps = ([*command, *flags, '-c', str(s), '-o', str(o)] for s, o in zip(sources, objects))
        list(pool.map(_run, steps))
        linked = Path(folder, target.name)
        # without an OpenMP library of its own: its symbols, as MXNet's, are those that libmxnet.so has loaded
        _run([*command, '-shared', *map(str, objects), '-o', str(linked)])
        _add_trailer(linked)
        os.replace(linked, target)
    return target


def _add_trailer(library: Path) -> None:
    with open(library, 'r+b') as file:
        digest = hashlib.sha256(file.read()).digest()
        file.write(_TRAILER + digest + _sources_digest())
        file.flush()
        os.fsync(file.fileno())


def fault(library: Path) -> str:
    """Find out whether a compiled library is damaged, or was compiled from other sources than those beside this file.

    It takes about 5 ms. An installation without sources cannot have changed ones.

    Args:
        library: the library, which exists.

    Returns:
        The fault as a part of a message; empty if there is none.
    """
    content = library.read_bytes()
    size = len(_TRAILER) + 2 * _DIGEST_BYTES
    code, trailer = content[:-size], content[-size:]
    if not trailer.startswith(_TRAILER):
        return 'damaged, or not compiled by this version: the checksums at its end are missing'
    digest, sources = trailer[-2 * _DIGEST_BYTES : -_DIGEST_BYTES], trailer[-_DIGEST_BYTES:]
    if hashlib.sha256(code).digest() != digest:
        return 'damaged: its SHA-256 is not the one from when it was compiled'
    if any(SOURCES.glob('*.cc')) and sources != _sources_digest():
        return f'stale: the sources in {SOURCES} have changed since it was compiled'
    return ''


def platform_tag(library: Path) -> str:
    """Find the tag of a wheel with a compiled library (PEP 600): the oldest system whose libraries have its symbols.

    Args:
        library: the library.

    Returns:
        :data:`MANYLINUX`, or ``linux_x86_64`` if the library needs newer symbols than that allows.
    """
    content = library.read_bytes()
    for prefix, newest in _SYMBOLS.items():
        versions = re.findall(rb'%s_([\d.]+)\0' % prefix.encode(), content)
        if any(tuple(map(int, version.split(b'.'))) > newest for version in versions):
            return 'linux_x86_64'
    return MANYLINUX


def _sources_digest() -> bytes:
    """The SHA-256 of the sources, by name, and of the flags of the compiler."""
    digest = hashlib.sha256(repr((_FLAGS, sorted(_DEFINITIONS.items()))).encode())
    for source in sorted(path for ending in ('cc', 'h', 'inl') for path in SOURCES.glob(f'*.{ending}')):
        content = source.read_bytes()
        digest.update(f'{source.name} {len(content)}\n'.encode() + content)
    return digest.digest()


def _headers() -> List[Path]:
    spec = importlib.util.find_spec('mxnet')
    include: Optional[Path] = Path(spec.origin).parent / 'include' if spec and spec.origin else None
    if include is None or not (include / 'mxnet' / 'ndarray.h').is_file():
        raise CannotBuild('mxnet, whose headers are needed, is not installed: cbam setup')
    return [include, include / 'mkldnn']


def _run(command: List[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if 'error' in line] or done.stderr.splitlines()[-1:]
        raise CannotBuild(f'{command[0]} failed: {(errors or ["no message"])[0]}')


def main() -> None:
    """Compile the operators and print the path, or end the process with the reason why not."""
    try:
        print(build())
    except CannotBuild as error:
        sys.exit(f'{error}')


if __name__ == '__main__':
    main()
