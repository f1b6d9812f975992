"""Downloading a file from one URL, with retries, resumption, a size limit, and detection of web pages."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Iterator, Mapping, Optional

import requests
import urllib3

from gluon_cbam.common.errors import DataError, TransferError
from gluon_cbam.common.files import write_text

from .location import Progress, RetryPolicy

_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
_CHUNK = 1 << 18
_MIN_BYTES = 1024  # minimum number of bytes received within a timeout; else the connection counts as stalled


class _RetryableError(Exception):
    """A failed attempt that may succeed when it is repeated.

    Args:
        reason: the failure, as part of a message.
        retry_after: delay in seconds that the server requests; default 0.
        stalled: whether the attempt timed out.
    """

    def __init__(self, reason: str, retry_after: float = 0.0, stalled: bool = False):
        super().__init__(reason)
        self.retry_after = retry_after
        self.stalled = stalled


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
    with requests.Session() as session:
        session.max_redirects = 10
        while True:
            before = _size(part)
            try:
                _attempt(session, url, part, max_bytes, policy, progress)
                return
            except _RetryableError as error:
                if _size(part) - before >= _CHUNK:
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
    session: requests.Session,
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
    with _open(session, url, headers, policy) as response:
        if validator and response.status_code == 416:  # the file at the URL is now shorter
            forget(part)
            raise _RetryableError('the file has changed')
        _check_status(response, url)
        _check_kind(response, url)
        if response.status_code != 206:
            _begin(part, url, response.headers)
            held = 0
        elif not response.headers.get('Content-Range', '').startswith(f'bytes {held}-'):
            forget(part)
            raise _RetryableError('the server sent another range than was asked for')
        _receive(response, url, part, held, max_bytes, policy, progress)


def _open(session: requests.Session, url: str, headers: Mapping[str, str], policy: RetryPolicy) -> requests.Response:
    """The response, with any status; raises an error if there is none."""
    try:
        return session.get(url, headers=headers, stream=True, timeout=policy.timeout)
    except requests.TooManyRedirects:
        problem = 'the server redirects in a circle'
    except ValueError:  # InvalidSchema, InvalidURL, MissingSchema, and what urllib raises for a URL
        problem = 'the server redirects to what is neither http nor https'
    except requests.exceptions.SSLError as error:
        problem = f'no secure connection ({_innermost(error)})'
    except requests.Timeout as error:
        raise _RetryableError(f'no answer within {policy.timeout:g} s (CBAM_ZOO_TIMEOUT)', stalled=True) from error
    except requests.ConnectionError as error:
        raise _RetryableError(f'no connection ({_innermost(error)})') from error
    except requests.RequestException as error:
        problem = f'{type(error).__name__} ({_innermost(error)})'
    raise TransferError(f'{url}: {problem}')


def _check_status(response: requests.Response, url: str) -> None:
    """Raise an error unless the response has the file or a range of it."""
    if response.status_code in (200, 206):
        return
    problem = f'the server says {response.status_code} {response.reason}'
    if response.status_code not in _RETRIED_STATUS:
        raise TransferError(f'{url}: {problem}')
    retry_after = _retry_after(response.headers.get('Retry-After'))
    raise _RetryableError(f'{problem}, and to wait {retry_after:g} s' if retry_after else problem, retry_after)


def _retry_after(header: Optional[str]) -> float:
    """The delay of a Retry-After header in seconds; its value may also be a date."""
    try:
        return urllib3.Retry().parse_retry_after(header) if header else 0.0
    except urllib3.exceptions.InvalidHeader:
        return 0.0


def _check_kind(response: requests.Response, url: str) -> None:
    """Raise an error if the headers announce a web page or an encoded file."""
    if response.headers.get('Content-Type', '').lower().startswith(('text/html', 'application/xhtml')):
        raise _web_page(url)
    encoding = response.headers.get('Content-Encoding', 'identity')
    if encoding != 'identity':
        raise DataError(f'{url}: the server sent the file encoded as {encoding}, which was not asked for')


def _web_page(url: str) -> DataError:
    return DataError(f'{url}: the server sent a web page instead of the file')


def _receive(
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
        for chunk in _chunks(response, policy):
            if held == 0 and chunk.lstrip()[:9].lower().startswith((b'<!doctype', b'<html')):
                raise _web_page(url)
            held += len(chunk)
            if held > max_bytes:
                raise _too_large(url, max_bytes)
            file.write(chunk)
            if progress:
                progress(held, total)
    if total is not None and held < total:
        raise _RetryableError(f'the connection broke after {held} of {total} bytes')


def _total(response: requests.Response) -> Optional[int]:
    """The size of the whole file, if the headers state it."""
    if response.status_code == 206:
        size = response.headers.get('Content-Range', '').rpartition('/')[2]
    else:
        size = response.headers.get('Content-Length', '')
    return int(size) if size.isdigit() else None


def _too_large(url: str, max_bytes: int) -> DataError:
    return DataError(f'{url}: the file is larger than the {max_bytes} bytes that it may have')


def _chunks(response: requests.Response, policy: RetryPolicy) -> Iterator[bytes]:
    """The body as it arrives; ``read`` would block until a chunk is complete, and hide a stalled connection."""
    stalled = _RetryableError(f'next to nothing came for {policy.timeout:g} s (CBAM_ZOO_TIMEOUT)', stalled=True)
    since, received = time.monotonic(), 0
    while True:
        try:
            chunk = response.raw.read1(_CHUNK, decode_content=False)
        except urllib3.exceptions.ReadTimeoutError:
            raise stalled from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _RetryableError(f'the connection broke ({_innermost(error)})') from error
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        if time.monotonic() - since > policy.timeout:
            if received < _MIN_BYTES:
                raise stalled
            since, received = time.monotonic(), 0


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
        write_text(_record(part), json.dumps({'address': url, 'validator': validator}))


def _validator(part: Path, url: str) -> Optional[str]:
    """The recorded ETag or date of ``part``, if it is from this URL."""
    try:
        record = json.loads(_record(part).read_text(encoding='utf-8'))
        return record['validator'] if record['address'] == url else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _innermost(error: BaseException) -> BaseException:
    """The root cause below the exceptions of requests and urllib3."""
    cause = error.__cause__ or error.__context__
    return _innermost(cause) if cause else error
