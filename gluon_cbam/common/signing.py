"""Messages between the processes of a job, signed with the token that its launcher gave them."""

from __future__ import annotations

import hashlib
import hmac

from .errors import DataError

TOKEN = 'CBAM_JOB_TOKEN'
"""The variable of the environment with the token of a job, made anew by each ``cbam launch``."""


def signed(text: str, token: str) -> str:
    """Sign a message.

    Args:
        text: the message, ASCII.
        token: the token of the job.

    Returns:
        The HMAC-SHA256 in hexadecimal, a colon, the message.
    """
    return f'{_digest(text, token)}:{text}'


def opened(message: str, token: str) -> str:
    """Check a signed message.

    Args:
        message: what :func:`signed` returned.
        token: the token of the job.

    Returns:
        The message.

    Raises:
        DataError: it was not signed with this token.
    """
    digest, _, text = message.partition(':')
    if not token or not hmac.compare_digest(digest.encode(), _digest(text, token).encode()):
        raise DataError('a message that is not signed with the token of this job')
    return text


def _digest(text: str, token: str) -> str:
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()
