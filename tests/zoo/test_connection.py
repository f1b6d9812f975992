"""Servers that answer with anything: an error in one line, within a bounded time, and then the next URL is tried."""

import random
import socket
import threading
from contextlib import contextmanager

import pytest
from server import Reply
from shelf import own_card

from gluon_cbam import zoo
from gluon_cbam.common.errors import CbamError, DataError, TransferError
from gluon_cbam.zoo.connection import Connection, RetryableError
from gluon_cbam.zoo.download import download
from gluon_cbam.zoo.location import RetryPolicy

BODY = bytes(range(256)) * 1000
OK = b'HTTP/1.1 200 OK\r\n'


@contextmanager
def raw_server(answer, repeat=b''):
    """A server that sends the same bytes for every request, then others again and again until the client leaves."""
    listener = socket.create_server(('127.0.0.1', 0))
    ended = threading.Event()

    def serve(connection):
        with connection:
            try:
                request = b''
                while b'\r\n\r\n' not in request:
                    request += connection.recv(65536)
                connection.sendall(answer)
                while repeat and not ended.wait(0.01):
                    connection.sendall(repeat)
            except OSError:
                pass

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{listener.getsockname()[1]}/a'
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)


def sized(body, *headers):
    """An answer with a body and its length."""
    return b''.join([OK, b'Content-Length: %d\r\n' % len(body), *(line + b'\r\n' for line in headers), b'\r\n', body])


def redirect(location):
    return b'HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n' % location


RANGE = b'HTTP/1.1 206 Partial\r\nContent-Range: bytes %s\r\nContent-Length: 3\r\n\r\nxxx'
CHUNKED = OK + b'Transfer-Encoding: chunked\r\n\r\n'
# name -> (answer, what is repeated after it)
ANSWERS = {
    'nothing': (b'', b''),
    'rubbish': (b'\x00\xff' * 100, b''),
    'another protocol': (b'220 mail.invalid ESMTP\r\n', b''),
    'a status that is no number': (b'HTTP/1.1 two OK\r\n\r\n', b''),
    'a status of many digits': (b'HTTP/1.1 ' + b'2' * 5000 + b' OK\r\n\r\n', b''),
    'status 99': (b'HTTP/1.1 99 Low\r\n\r\n', b''),
    'status 999': (b'HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n', b''),
    'status 204': (b'HTTP/1.1 204 No Content\r\n\r\n', b''),
    'status 304': (b'HTTP/1.1 304 Not Modified\r\n\r\n', b''),
    'status 101': (b'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', b''),
    'a reason of escape sequences': (b'HTTP/1.1 404 \x1b[2J' + b'x' * 5000 + b'\r\nContent-Length: 0\r\n\r\n', b''),
    'preliminary answers without end': (b'', b'HTTP/1.1 100 Continue\r\n\r\n'),
    'a header without end': (OK + b'X: ', b'x'),
    'headers without end': (OK, b'X: x\r\n'),
    'a long header': (OK + b'X: ' + b'x' * 100_000 + b'\r\n\r\n', b''),
    'a header that is none': (OK + b'no header\r\n\r\n', b''),
    'a length of a superscript digit': (OK + 'Content-Length: \u00b2\r\n\r\n'.encode('latin-1') + BODY[:-1], b''),
    'a negative length': (OK + b'Content-Length: -5\r\n\r\nx', b''),
    'a huge length': (OK + b'Content-Length: ' + b'9' * 5000 + b'\r\n\r\nx', b''),
    'two lengths': (OK + b'Content-Length: 5, 6\r\n\r\nxxxxxx', b''),
    'a length that is too long': (OK + b'Content-Length: 300000\r\n\r\n' + BODY[:1000], b''),
    'a range that was not asked for': (RANGE % b'7-9/10', b''),
    'a range of rubbish': (RANGE % b'0-\xb2/\xb3', b''),
    'status 416': (b'HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n', b''),
    'chunks of rubbish': (CHUNKED + b'xyz\r\nabc', b''),
    'a negative chunk': (CHUNKED + b'-5\r\nabcde\r\n', b''),
    'a chunk that is cut': (CHUNKED + b'ff\r\nabc', b''),
    'a chunk size without end': (CHUNKED, b'0'),
    'an extension without end': (CHUNKED + b'5;', b'x'),
    'trailers without end': (CHUNKED + b'5\r\nabcde\r\n0\r\n', b'X: x\r\n'),
    'chunks without end': (CHUNKED, b'1\r\nx\r\n'),
    'gzip': (sized(BODY[:100], b'Content-Encoding: gzip'), b''),
    'an encoding of rubbish': (sized(BODY[:100], b'Content-Encoding: \x1b[2J' + b'x' * 5000), b''),
    'a circle': (redirect(b'/a'), b''),
    'a file': (redirect(b'file:///etc/passwd'), b''),
    'a script': (redirect(b'javascript:alert(1)'), b''),
    'data': (redirect(b'data:,x'), b''),
    'a bracket': (redirect(b'http://[::1'), b''),
    'no host': (redirect(b'http://'), b''),
    'a port of letters': (redirect(b'http://127.0.0.1:port/'), b''),
    'a password': (redirect(b'http://me:secret@127.0.0.1/'), b''),
    'a location of rubbish': (redirect(b'\xff\xfe\x80:\x01'), b''),
    'a redirect without a location': (b'HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n', b''),
    'a redirect with a body without end': (b'HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\n\r\n', b'x' * 10_000),
}  # fmt: skip


def assert_failed(url, error):
    """One line that names the URL, of bounded length."""
    text = str(error)
    assert text.startswith(f'{url}: ') and text.isprintable() and len(text) < 600, text
    assert error.exit_code in (4, 5)


@pytest.mark.parametrize('kind', ANSWERS)
def test_any_answer_ends_in_an_error(kind, card, files, pauses, monkeypatch, caplog):
    monkeypatch.setenv('CBAM_ZOO_TIMEOUT', '0.3')
    with raw_server(*ANSWERS[kind]) as url, pytest.raises((TransferError, DataError)) as caught:
        zoo.fetch(card(own_card(BODY[:-2], url)))
    assert_failed(url, caught.value)
    assert not [name for name in files() if name.endswith('.params')]
    assert caplog.text == ''
    if kind in ('a header without end', 'headers without end', 'preliminary answers without end'):
        assert 'no answer within 0.3 s (CBAM_ZOO_TIMEOUT)' in str(caught.value)


def test_answers_that_are_mutated(tmp_path):
    """Seeded: bytes of good answers are changed, cut or repeated."""
    choose = random.Random(0)
    good = [
        sized(BODY[:3000], b'ETag: "a"', b'Retry-After: 1'),
        CHUNKED + b'5\r\nabcde\r\n0\r\n\r\n',
        redirect(b'http://127.0.0.1:1/b'),
        b'HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n',
    ]
    for number in range(150):
        answer = bytearray(choose.choice(good))
        for _ in range(choose.randrange(1, 5)):
            place = choose.randrange(min(len(answer), 200))
            answer[place : place + choose.randrange(3)] = choose.choice(
                [b'', b'\r\n', b'9' * 30, b':', b'\x00', b'-1', b'\xb2']
            )
        with raw_server(bytes(answer)) as url:
            try:
                download(url, tmp_path / f'{number}', 10_000, RetryPolicy(timeout=0.2, attempts=1))
            except CbamError as error:
                assert_failed(url, error)


FAR = ['Fri, 31 Dec 9999 23:59:59 GMT', '9' * 400]


@pytest.mark.parametrize(
    'value',
    [*FAR, 'Fri, 31 Dec 99999 23:59:59 GMT', '1e400', 'nan', 'inf', '-5', '\u00b2', '', 'x', '3.5'],
)
def test_any_delay_that_is_asked_for(value, server, tmp_path, pauses):
    """A far one is an error at once; what is none counts as none."""
    url = server.put('/a', Reply(status=503, headers={'Retry-After': value}))
    with pytest.raises(TransferError, match='the server says 503'):
        download(url, tmp_path / 'part', 10, RetryPolicy(attempts=2))
    assert max(pauses, default=0) <= 60
    assert len(server.requests) == (1 if value in FAR else 2)


def test_the_next_url_is_tried_after_any_answer(server, card, pauses):
    for kind in ('rubbish', 'a length of a superscript digit', 'two lengths', 'a bracket', 'a negative chunk', 'gzip'):
        with raw_server(*ANSWERS[kind]) as url:
            good = card(own_card(BODY, url, server.put('/good', BODY)))
            assert zoo.fetch(good).path.read_bytes() == BODY, kind
            zoo.remove(good.tag)


def test_a_server_below_the_speed_limit(tmp_path, pauses):
    """More than nothing comes, and less than the limit; it is tried twice."""
    answer = OK + b'Content-Length: 1000000000\r\n\r\n'
    policy = RetryPolicy(timeout=1.0, speed_limit=1e12)
    with raw_server(answer, bytes(4096)) as url, pytest.raises(TransferError) as caught:
        download(url, tmp_path / 'part', 10**9, policy)
    assert_failed(url, caught.value)
    assert 'bytes per second came, less than 1e+12 (CBAM_ZOO_SPEED_LIMIT)' in str(caught.value)
    assert len(pauses) == 1


def test_the_speed_limit_of_the_environment(monkeypatch):
    assert RetryPolicy.from_environment().speed_limit == 8192
    monkeypatch.setenv('CBAM_ZOO_SPEED_LIMIT', '0')
    assert RetryPolicy.from_environment().speed_limit == 0
    for value in ('fast', '-1', 'nan', 'inf'):
        monkeypatch.setenv('CBAM_ZOO_SPEED_LIMIT', value)
        with pytest.raises(CbamError, match='CBAM_ZOO_SPEED_LIMIT must be bytes per second, 0 for no limit') as caught:
            RetryPolicy.from_environment()
        assert caught.value.exit_code == 2


def test_a_redirect_from_https_to_http_is_refused():
    from gluon_cbam.zoo.connection import _redirected

    with pytest.raises(TransferError, match='redirects from https to http'):
        _redirected('https://a/b', 'https://a/b', 'http://a/b')
    assert _redirected('https://a/b', 'https://a/b', 'c?d=e') == 'https://a/c?d=e'


def test_no_thread_is_left(server):
    with Connection(5) as connection:
        watching = set(threading.enumerate())
        connection.get(server.put('/a', BODY), {}).close()
        with pytest.raises((TransferError, RetryableError)):
            connection.get('http://127.0.0.1:1/a', {})
    assert connection._thread in watching
    assert not connection._thread.is_alive()
