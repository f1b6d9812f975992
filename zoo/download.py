"""Downloading a file from one URL, with retries, resumption, a size limit, and detection of web pages."""

from __future__ import annotations

import json
import random
import re
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Iterator, Mapping, Optional

import requests
import urllib3

from gluon_cbam.common.errors import DataError, TransferError
from gluon_cbam.common.quoting import shown_name

from .connection import Connection, RetryableError, reason_of
from .location import Progress, RetryPolicy

_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
_CHUNK = 1 << 18
_MIN_BYTES = 1024  # minimum number of bytes received within a timeout; else the connection counts as stalled


def download(
    url: str, part: Path, max_bytes: int, policy: Optional[RetryPolicy] = None, progress: Optional[Progress] = None
) -> None:
    """Download a file to ``part``; an existing part is resumed if the file at the URL has not changed.

    Args:
        url: http or https.
        part: path to write to; ``PART.json`` next to it records URL and validator, for resuming.
        max_bytes: maximum size of the file.
        policy: timeout and retries; default :meth:`.location.RetryPolicy.from_environment`.
        progress: see :data:`.location.Progress`.

    Raises:
        DataError: the server sent a web page, an encoded file, or more than ``max_bytes`` bytes.
        TransferError: the network or the server failed.
        OSError: the file cannot be written.
    """
    policy = policy or RetryPolicy.from_environment()
    failures = stalls = 0
    with Connection(policy.timeout) as connection:
        while True:
            before = _size(part)
            try:
                _attempt(connection, url, part, max_bytes, policy, progress)
                return
            except RetryableError as error:
                connection.rest()
                if _size(part) - before >= _CHUNK and not error.slow:
                    failures = stalls = 0
                failures, stalls = failures + 1, stalls + error.stalled
                if failures == policy.attempts or stalls == 2 or error.retry_after > policy.max_retry_after:
                    raise TransferError(f'{url}: {error}') from None
                jitter = random.uniform(0.5, 1.5)
                time.sleep(max(error.retry_after, policy.backoff * 2 ** (failures - 1) * jitter))


def forget(part: Path) -> None:
    """Remove a partly downloaded file and its record.

    Args:
        part: path of the file.
    """
    for path in (part, _record(part)):
        if path.exists():
            path.unlink()


def _attempt(
    connection: Connection,
    url: str,
    part: Path,
    max_bytes: int,
    policy: RetryPolicy,
    progress: Optional[Progress],
) -> None:
    """Make one request and append the response to ``part``."""
    held = _size(part)
    validator = _validator(part, url) if held else None
    headers = {'Accept-Encoding': 'identity'}
    if validator:
        headers.update({'Range': f'bytes={held}-', 'If-Range': validator})
    with connection.get(url, headers) as response:
        if validator and response.status_code == 416:  # the file at the URL is now shorter
            forget(part)
            raise RetryableError('the file has changed')
        _check_status(response, url)
        _check_kind(response, url)
        if response.status_code != 206:
            _begin(part, url, response.headers)
            held = 0
        elif not response.headers.get('Content-Range', '').startswith(f'bytes {held}-'):
            forget(part)
            raise RetryableError('the server sent another range than was asked for')
        _receive(connection, response, url, part, held, max_bytes, policy, progress)


def _check_status(response: requests.Response, url: str) -> None:
    """Raise an error unless the response has the file or a range of it."""
    if response.status_code in (200, 206):
        return
    problem = f'the server says {response.status_code} {shown_name(response.reason or "")}'.rstrip()
    if response.status_code not in _RETRIED_STATUS:
        raise TransferError(f'{url}: {problem}')
    retry_after = _retry_after(response.headers.get('Retry-After'))
    raise RetryableError(f'{problem}, and to wait {retry_after:g} s' if retry_after else problem, retry_after)


def _retry_after(header: Optional[str]) -> float:
    """The delay of a Retry-After header in seconds; its value may also be a date. 0 for what is neither."""
    if re.fullmatch(r'[0-9]+', (header or '').strip()):
        return float((header or '').strip()[:10])
    try:
        date = parsedate_to_datetime(header or '')
        return max(0.0, date.timestamp() - datetime.now(timezone.utc).timestamp())
    except (TypeError, ValueError, LookupError, OverflowError, OSError):  # of dates that no calendar has
        return 0.0


def _check_kind(response: requests.Response, url: str) -> None:
    """Raise an error if the headers announce a web page or an encoded file."""
    if response.headers.get('Content-Type', '').lower().startswith(('text/html', 'application/xhtml')):
        raise _web_page(url)
    encoding = response.headers.get('Content-Encoding', 'identity')
    if encoding != 'identity':
        raise DataError(f'{url}: the server sent the file encoded as {shown_name(encoding)}, which was not asked for')


def _web_page(url: str) -> DataError:
    return DataError(f'{url}: the server sent a web page instead of the file')


def _receive(
    connection: Connection,
    response: requests.Response,
    url: str,
    part: Path,
    held: int,
    max_bytes: int,
    policy: RetryPolicy,
    progress: Optional[Progress],
) -> None:
    """Append the body to ``part``, which already has ``held`` bytes."""
    total = _total(response)
    if (total or 0) > max_bytes:
        raise _too_large(url, max_bytes)
    with open(part, 'ab') as file:
        for chunk in _chunks(connection, response, policy):
            if held == 0 and chunk.lstrip()[:9].lower().startswith((b'<!doctype', b'<html')):
                raise _web_page(url)
            held += len(chunk)
            if held > max_bytes:
                raise _too_large(url, max_bytes)
            file.write(chunk)
            if progress:
                progress(held, total)
    if total is not None and held < total:
        raise RetryableError(f'the connection broke after {held} of {total} bytes')


def _total(response: requests.Response) -> Optional[int]:
    """The size of the whole file, if the headers state it."""
    if response.status_code == 206:
        size = response.headers.get('Content-Range', '').rpartition('/')[2]
    else:
        size = response.headers.get('Content-Length', '')
    return int(size[:18]) if re.fullmatch('[0-9]+', size) else None  # 18 digits are larger than any file


def _too_large(url: str, max_bytes: int) -> DataError:
    return DataError(f'{url}: the file is larger than the {max_bytes} bytes that it may have')


def _chunks(connection: Connection, response: requests.Response, policy: RetryPolicy) -> Iterator[bytes]:
    """The body as it arrives; ``read`` would block until a chunk is complete, and hide a stalled connection."""
    stalled = RetryableError(f'next to nothing came for {policy.timeout:g} s (CBAM_ZOO_TIMEOUT)', stalled=True)
    since, received = time.monotonic(), 0
    while True:
        connection.alive()
        try:
            chunk = response.raw.read1(_CHUNK, decode_content=False)
        except urllib3.exceptions.ReadTimeoutError:
            raise stalled from None
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            if connection.expired:
                raise stalled from None
            raise RetryableError(f'the connection broke ({reason_of(error)})') from error
        if connection.expired:
            raise stalled
        connection.rest()  # the disk may take its time
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        seconds = time.monotonic() - since
        if seconds > policy.timeout:
            if received < _MIN_BYTES:
                raise stalled
            if received < policy.speed_limit * seconds:
                raise _slow(received, seconds, policy)
            since, received = time.monotonic(), 0


def _slow(received: int, seconds: float, policy: RetryPolicy) -> RetryableError:
    """The error for a server that is too slow."""
    speed = f'{received / seconds:.0f} bytes per second came, less than {policy.speed_limit:g}'
    return RetryableError(f'{speed} (CBAM_ZOO_SPEED_LIMIT)', stalled=True, slow=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _record(part: Path) -> Path:
    return part.with_name(f'{part.name}.json')


def _begin(part: Path, url: str, headers: Mapping[str, str]) -> None:
    """Remove ``part``, and record the validator (ETag or date) of the file to be received, if the server sends one."""
    forget(part)
    etag = headers.get('ETag', '')
    validator = etag if etag and not etag.startswith('W/') else headers.get('Last-Modified')
    if validator:
        _record(part).write_text(json.dumps({'address': url, 'validator': validator}), encoding='utf-8')


def _validator(part: Path, url: str) -> Optional[str]:
    """The recorded ETag or date of ``part``, if it is from this URL."""
    try:
        record = json.loads(_record(part).read_text(encoding='utf-8'))
        return record['validator'] if record['address'] == url else None
    except (OSError, ValueError, LookupError, TypeError):
        return None
