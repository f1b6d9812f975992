"""One file from one address: retried, continued where it broke, never larger than allowed, and no web page."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Callable, Iterator, Optional

import requests
import urllib3

from gluon_cbam.common.errors import ZooError
from gluon_cbam.common.files import write_text

from .location import Patience

Progress = Callable[[int, Optional[int]], None]
"""Called with the bytes that are here and, if known, all that will be."""

_FOR_THE_MOMENT = (408, 425, 429, 500, 502, 503, 504)
_CHUNK = 1 << 18
_LEAST = 1024  # bytes in the time of a timeout; less is a stall


class _Again(Exception):
    """An attempt failed, another may not.

    Args:
        reason: a part of a line.
        after: seconds that the server asks to wait.
        stalled: whether it failed by waiting.
    """

    def __init__(self, reason: str, after: float = 0.0, stalled: bool = False):
        super().__init__(reason)
        self.after = after
        self.stalled = stalled


def download(
    address: str, part: Path, most: int, patience: Optional[Patience] = None, progress: Optional[Progress] = None
) -> None:
    """Download a file to ``part``; what is there of it from this address is continued if the file is still the same.

    Args:
        address: http or https.
        part: where the file grows; beside it, with ``.json`` added, stands what it is a part of.
        most: bytes that the file may have.
        patience: default that of the environment.
        progress: see :data:`Progress`.

    Raises:
        ZooError: exit code 4 when something else came than a file of at most ``most`` bytes, 5 when the network or the
            server failed.
        OSError: the disk failed.
    """
    patience = patience or Patience.of_environment()
    failures = stalls = 0
    with requests.Session() as session:
        session.max_redirects = 10
        while True:
            before = _size(part)
            try:
                _attempt(session, address, part, most, patience, progress)
                return
            except _Again as again:
                if _size(part) - before >= _CHUNK:
                    failures = stalls = 0
                failures, stalls = failures + 1, stalls + again.stalled
                if failures == patience.attempts or stalls == 2 or again.after > patience.longest:
                    raise ZooError(f'{address}: {again}', exit_code=5) from None
                jitter = random.uniform(0.5, 1.5)
                time.sleep(max(again.after, patience.pause * 2 ** (failures - 1) * jitter))


def forget(part: Path) -> None:
    """Remove what was downloaded of a file."""
    for path in (part, _note(part)):
        if path.exists():
            path.unlink()


def _attempt(session, address: str, part: Path, most: int, patience: Patience, progress) -> None:
    held = _size(part)
    validator = _validator(part, address) if held else None
    headers = {'Accept-Encoding': 'identity'}
    if validator:
        headers.update({'Range': f'bytes={held}-', 'If-Range': validator})
    with _open(session, address, headers, patience) as response:
        if validator and response.status_code == 416:  # the file there is shorter now
            forget(part)
            raise _Again('the file has changed')
        _check_status(response, address)
        _check_kind(response, address)
        if response.status_code != 206:
            _begin(part, address, response.headers)
            held = 0
        elif not response.headers.get('Content-Range', '').startswith(f'bytes {held}-'):
            forget(part)
            raise _Again('the server sent another range than was asked for')
        _receive(response, address, part, held, most, patience, progress)


def _open(session, address: str, headers, patience: Patience) -> requests.Response:
    """The answer, whatever its status; errors as of :func:`download`."""
    try:
        return session.get(address, headers=headers, stream=True, timeout=patience.timeout)
    except requests.TooManyRedirects:
        problem = 'the server redirects in a circle'
    except ValueError:  # InvalidSchema, InvalidURL, MissingSchema and what urllib makes of an address
        problem = 'the server redirects to what is neither http nor https'
    except requests.exceptions.SSLError as error:
        problem = f'no secure connection ({_innermost(error)})'
    except requests.Timeout as error:
        raise _Again(f'no answer within {patience.timeout:g} s (CBAM_ZOO_TIMEOUT)', stalled=True) from error
    except requests.ConnectionError as error:
        raise _Again(f'no connection ({_innermost(error)})') from error
    except requests.RequestException as error:
        problem = f'{type(error).__name__} ({_innermost(error)})'
    raise ZooError(f'{address}: {problem}', exit_code=5)


def _check_status(response, address: str) -> None:
    if response.status_code in (200, 206):
        return
    said = f'the server says {response.status_code} {response.reason}'
    if response.status_code not in _FOR_THE_MOMENT:
        raise ZooError(f'{address}: {said}', exit_code=5)
    after = _retry_after(response.headers.get('Retry-After'))
    raise _Again(f'{said}, and to wait {after:g} s' if after else said, after)


def _retry_after(said: Optional[str]) -> float:
    try:
        return urllib3.Retry().parse_retry_after(said) if said else 0.0
    except urllib3.exceptions.InvalidHeader:
        return 0.0


def _check_kind(response, address: str) -> None:
    if response.headers.get('Content-Type', '').lower().startswith(('text/html', 'application/xhtml')):
        raise _web_page(address)
    encoding = response.headers.get('Content-Encoding', 'identity')
    if encoding != 'identity':
        raise ZooError(f'{address}: the server sent the file encoded as {encoding}, which was not asked for')


def _web_page(address: str) -> ZooError:
    return ZooError(f'{address}: the server sent a web page instead of the file')


def _receive(response, address: str, part: Path, held: int, most: int, patience: Patience, progress) -> None:
    """Add the body to ``part``."""
    total = _total(response)
    if (total or 0) > most:
        raise _too_large(address, most)
    with open(part, 'ab') as file:
        for chunk in _chunks(response, patience):
            if held == 0 and chunk.lstrip()[:9].lower().startswith((b'<!doctype', b'<html')):
                raise _web_page(address)
            held += len(chunk)
            if held > most:
                raise _too_large(address, most)
            file.write(chunk)
            if progress:
                progress(held, total)
    if total is not None and held < total:
        raise _Again(f'the connection broke after {held} of {total} bytes')


def _total(response) -> Optional[int]:
    """The size of the whole file, if the server says it."""
    if response.status_code == 206:
        said = response.headers.get('Content-Range', '').rpartition('/')[2]
    else:
        said = response.headers.get('Content-Length', '')
    return int(said) if said.isdigit() else None


def _too_large(address: str, most: int) -> ZooError:
    return ZooError(f'{address}: the file is larger than the {most} bytes that it may have')


def _chunks(response, patience: Patience) -> Iterator[bytes]:
    """The body as it comes in: ``read`` would wait for a whole chunk, and not show a trickle."""
    stalled = _Again(f'next to nothing came for {patience.timeout:g} s (CBAM_ZOO_TIMEOUT)', stalled=True)
    since, came = time.monotonic(), 0
    while True:
        try:
            chunk = response.raw.read1(_CHUNK, decode_content=False)
        except urllib3.exceptions.ReadTimeoutError:
            raise stalled from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _Again(f'the connection broke ({_innermost(error)})') from error
        if not chunk:
            return
        yield chunk
        came += len(chunk)
        if time.monotonic() - since > patience.timeout:
            if came < _LEAST:
                raise stalled
            since, came = time.monotonic(), 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _note(part: Path) -> Path:
    return part.with_name(f'{part.name}.json')


def _begin(part: Path, address: str, headers) -> None:
    """Empty ``part``, and note what identifies the file that is now to come, if the server says so."""
    forget(part)
    etag = headers.get('ETag', '')
    validator = etag if etag and not etag.startswith('W/') else headers.get('Last-Modified')
    if validator:
        write_text(_note(part), json.dumps({'address': address, 'validator': validator}))


def _validator(part: Path, address: str) -> Optional[str]:
    try:
        note = json.loads(_note(part).read_text(encoding='utf-8'))
        return note['validator'] if note['address'] == address else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _innermost(error: BaseException) -> BaseException:
    """What really happened, beneath what requests and urllib3 wrapped it in."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return error
