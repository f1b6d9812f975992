"""Connections to servers that may be faulty: any answer ends within a bounded time, and any error is one line."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from typing import Any, Mapping, Optional
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import requote_uri

from gluon_cbam.common.errors import TransferError
from gluon_cbam.common.quoting import shown_name

from .conditions import is_url

_MAX_REDIRECTS = 10
_log = logging.getLogger('urllib3.connection')


def _is_error(record: logging.LogRecord) -> bool:
    """Whether to log a record of urllib3, which warns of odd headers with a traceback."""
    return record.levelno >= logging.ERROR


class RetryableError(Exception):
    """A failed attempt that may succeed when it is repeated.

    Args:
        reason: the failure, as part of a message.
        retry_after: delay in seconds that the server requests; default 0.
        stalled: whether the attempt timed out or was too slow.
        slow: whether it was too slow.
    """

    def __init__(self, reason: str, retry_after: float = 0.0, stalled: bool = False, slow: bool = False):
        super().__init__(reason)
        self.retry_after = retry_after
        self.stalled = stalled
        self.slow = slow


class Connection:
    """Requests to servers, as a context.

    The timeout of a socket is for one byte, so that a server can keep a client busy with a byte from time to time: with
    headers, with chunks that are announced and never begin, with answers that are preliminary. A thread closes the
    socket where :meth:`alive` was not called for ``timeout`` seconds.

    Args:
        timeout: seconds.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.expired = False
        """Whether the socket was closed since the last call of :meth:`alive`."""
        self._socket: Optional[socket.socket] = None
        self._deadline: Optional[float] = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._session = requests.Session()
        for scheme in ('http://', 'https://'):
            self._session.mount(scheme, _Adapter(self))

    def __enter__(self) -> Connection:
        self._thread.start()
        _log.addFilter(_is_error)
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        _log.removeFilter(_is_error)
        self._session.close()

    def alive(self) -> None:
        """Give the server another ``timeout`` seconds."""
        self.expired = False
        self._deadline = time.monotonic() + self.timeout

    def rest(self) -> None:
        """Expect nothing of the server until :meth:`alive` is called."""
        self._deadline = None

    def opened(self, opened: socket.socket) -> None:
        """Watch a socket; called when it is connected."""
        self._socket = opened

    def _watch(self) -> None:
        """Close the socket when the time is over."""
        while True:
            deadline = self._deadline
            remaining = 1.0 if deadline is None else deadline - time.monotonic()
            if remaining <= 0 and self._socket is not None:
                self.expired, self._deadline = True, None
                with suppress(OSError):  # the method of TLS sockets is not safe beside a thread that reads
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            if self._ended.wait(min(max(remaining, 0.02), 1.0)):
                return

    def get(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Send a request, and follow redirects to http and https; their bodies are not read.

        Args:
            url: http or https.
            headers: headers of the request.

        Returns:
            The response, with any status; its body is not read yet.

        Raises:
            RetryableError: the server did not answer.
            TransferError: its answer is no use.
        """
        target, headers = url, {'Connection': 'close', **headers}  # a connection has one socket, which is watched
        for _ in range(_MAX_REDIRECTS + 1):
            self.alive()
            response = self._answer(url, target, headers)
            if self.expired:  # headers that are cut count as complete
                response.close()
                raise self._no_answer()
            if not response.is_redirect:
                return response
            response.close()
            target = _redirected(url, target, response.headers['Location'])
        raise TransferError(f'{url}: the server redirects in a circle')

    def _answer(self, url: str, target: str, headers: Mapping[str, str]) -> requests.Response:
        """The response of one server."""
        try:
            return self._session.get(target, headers=headers, stream=True, timeout=self.timeout, allow_redirects=False)
        except requests.exceptions.SSLError as error:
            problem = f'no secure connection ({reason_of(error)})'
        except requests.Timeout as error:
            raise self._no_answer() from error
        except requests.ConnectionError as error:
            if self.expired:
                raise self._no_answer() from error
            raise RetryableError(f'no connection ({reason_of(error)})') from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, ValueError) as error:
            problem = f'the answer of the server is damaged ({reason_of(error)})'
        raise TransferError(f'{url}: {problem}')

    def _no_answer(self) -> RetryableError:
        return RetryableError(f'no answer within {self.timeout:g} s (CBAM_ZOO_TIMEOUT)', stalled=True)


class _Adapter(HTTPAdapter):
    """An adapter whose connections report their sockets.

    Args:
        owner: is told of them.
    """

    def __init__(self, owner: Connection) -> None:
        self._owner = owner
        super().__init__()

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> Any:
        """The pool of connections for a request."""
        return self._watched(super().get_connection_with_tls_context(*arguments, **named))

    def get_connection(self, *arguments: Any, **named: Any) -> Any:
        """The same in requests before 2.32."""
        return self._watched(super().get_connection(*arguments, **named))

    def _watched(self, pool: Any) -> Any:
        """The pool, whose connections report their sockets."""
        owner, kind = self._owner, pool.ConnectionCls

        def connect(connection: Any) -> None:
            kind.connect(connection)
            owner.opened(connection.sock)

        if not hasattr(kind, 'reports'):
            pool.ConnectionCls = type(kind.__name__, (kind,), {'connect': connect, 'reports': True})
        return pool


def _redirected(url: str, target: str, location: str) -> str:
    """The address that a server redirects to."""
    problem = 'the server redirects to what is neither http nor https'
    try:
        address = requote_uri(urljoin(target, location))
        scheme = urlsplit(address).scheme
    except ValueError:  # also of requests.InvalidURL
        raise TransferError(f'{url}: {problem}: {shown_name(location)}') from None
    if not scheme or not is_url(address):
        raise TransferError(f'{url}: {problem}: {shown_name(location)}')
    if urlsplit(target).scheme == 'https' and scheme == 'http':
        raise TransferError(f'{url}: the server redirects from https to http: {shown_name(address)}')
    return address


def reason_of(error: BaseException) -> str:
    """The root cause below the exceptions of requests and urllib3, as part of a message.

    Args:
        error: the exception.
    """
    cause = error.__cause__ or error.__context__
    while cause:
        error, cause = cause, cause.__cause__ or cause.__context__
    return shown_name(str(error) or type(error).__name__)
