"""A web server in a thread that does what a test tells it to, and remembers what it was asked.

with Server() as server:
    server.put('/a.params', b'...')                               # a good file: ETag, Range, If-Range
    server.put('/b', Reply(status=500), Reply(b'...'))            # the first answer, then the second for ever
    server.url + '/a.params'; server.requests; server.sent('/a.params')
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Dict, List, NamedTuple, Optional


@dataclass
class Reply:
    """An answer, and how it goes wrong.

    Attributes:
        body: the whole file.
        status: of the answer; 200 becomes 206 for a range.
        headers: added, or replaced; None takes one away.
        ranges: whether ranges are known; else the whole body comes.
        cut: after so many bytes of this answer the connection is closed.
        stall: after so many bytes nothing comes any more, until the client or the test ends.
        pause: seconds before the body.
        drip: seconds between single bytes of the body.
        after: the body is sent once this event is set; default at once.
    """

    body: bytes = b''
    status: int = 200
    headers: Dict[str, Optional[str]] = field(default_factory=dict)
    ranges: bool = True
    cut: Optional[int] = None
    stall: Optional[int] = None
    pause: float = 0.0
    drip: float = 0.0
    after: Optional[threading.Event] = None


class Request(NamedTuple):
    """What was asked: the path as it stood in the request line, the headers, and the bytes of body that were sent."""

    path: str
    headers: Dict[str, str]
    sent: List[int]


class Server:
    """The server; use it as a context.

    Attributes:
        url: http://127.0.0.1:PORT.
        requests: in the order of their arrival.
    """

    def __init__(self):
        self._replies: Dict[str, List[Reply]] = {}
        self._lock = threading.Lock()
        self.ended = threading.Event()
        self.requests: List[Request] = []
        handler = type('Handler', (_Handler,), {'owner': self})
        self._http = ThreadingHTTPServer(('127.0.0.1', 0), handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.url = f'http://127.0.0.1:{self._http.server_address[1]}'

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()

    def put(self, path: str, *replies) -> str:
        """Set the answers of a path, bytes for a good file; the last one is repeated. Returns the address."""
        self._replies[path] = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]
        return self.url + path

    def asked(self, path: str) -> List[Request]:
        """The requests of a path."""
        return [request for request in self.requests if request.path == path]

    def sent(self, path: str) -> List[int]:
        """Bytes of body that each request of a path got."""
        return [sum(request.sent) for request in self.asked(path)]

    def answer(self, path: str, headers: Dict[str, str]):
        """The next answer of a path, and the request that it is remembered in."""
        with self._lock:
            request = Request(path, headers, [])
            self.requests.append(request)
            replies = self._replies.get(path, [Reply(status=404)])
            return (replies.pop(0) if len(replies) > 1 else replies[0]), request


class _Handler(BaseHTTPRequestHandler):
    owner: Server

    def do_GET(self):
        reply, request = self.owner.answer(self.path, dict(self.headers))
        etag = reply.headers.get('ETag', '"' + hashlib.sha1(reply.body).hexdigest() + '"')
        first = self._first(reply, etag)
        if first is not None and first >= len(reply.body):
            self._head(416, {'Content-Range': f'bytes */{len(reply.body)}', 'Content-Length': '0'}, {})
            return
        body = reply.body[first or 0 :]
        headers = {'Content-Length': str(len(body)), 'Content-Type': 'application/octet-stream'}
        if reply.ranges:
            headers.update({'ETag': etag, 'Accept-Ranges': 'bytes'})
        if first is not None:
            headers['Content-Range'] = f'bytes {first}-{len(reply.body) - 1}/{len(reply.body)}'
        self._head(206 if first is not None else reply.status, headers, reply.headers)
        self._send(reply, body, request)

    def _first(self, reply: Reply, etag: str) -> Optional[int]:
        """Where a range begins that is asked for and may be sent."""
        wanted = self.headers.get('Range')
        if not reply.ranges or reply.status != 200 or not wanted or self.headers.get('If-Range', etag) != etag:
            return None
        return int(wanted[len('bytes=') :].partition('-')[0])

    def _head(self, status: int, headers: Dict[str, str], changes: Dict[str, Optional[str]]) -> None:
        self.send_response(status)
        for name, value in {**headers, **changes}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def _send(self, reply: Reply, body: bytes, request: Request) -> None:
        ends = [end for end in (reply.cut, reply.stall) if end is not None]
        body = body[: min(ends)] if ends else body
        step = 1 if reply.drip else 65536
        self.owner.ended.wait(reply.pause)
        if reply.after is not None:
            reply.after.wait(60)
        try:
            for start in range(0, len(body), step):
                request.sent.append(len(body[start : start + step]))  # before a client that has it all looks
                self.wfile.write(body[start : start + step])
                self.owner.ended.wait(reply.drip)
        except OSError:  # the client had enough
            return
        if reply.stall is not None:
            self.owner.ended.wait(60)

    def log_message(self, *arguments):
        pass
