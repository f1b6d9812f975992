"""Damage to the bytes of a file, drawn from a seed."""

import re

EXTREMES = [
    *(value.to_bytes(width, order) for width in (2, 4, 8) for order in ('little', 'big')
      for value in (0, 1, (1 << 8 * width) - 1, (1 << 8 * width - 1) - 1, 1 << 8 * width - 1)),
]  # fmt: skip
DIGITS = [b'0', b'-1', b'4294967295', b'99999999999999999999', b'1e999', b'nan', b'7' * 400]


def flipped(data, random):
    """Some bits changed."""
    for _ in range(random.choice((1, 1, 4, 32))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return data


def cut(data, random):
    """The end is missing."""
    return data[: random.randrange(len(data))]


def removed(data, random):
    """A block is missing."""
    begin = random.randrange(len(data))
    return data[:begin] + data[begin + random.choice((1, 4, 512, 4096)) :]


def inserted(data, random):
    """Random bytes, zeros or the bytes themselves once more in between."""
    begin, size = random.randrange(len(data)), random.choice((1, 8, 512))
    block = random.choice((bytes(size), bytes(random.randrange(256) for _ in range(size)), data[begin : begin + size]))
    return data[:begin] + block * random.choice((1, 1, 64)) + data[begin:]


def overwritten(data, random):
    """A number replaced by an extreme one; the ends of a file, where directories are, are as likely as the rest."""
    value = random.choice(EXTREMES)
    area = random.choice((len(data), min(len(data), 256)))
    begin = random.randrange(area)
    begin = random.choice((begin, len(data) - 1 - begin))
    data[begin : begin + len(value)] = value
    return data


def renumbered(data, random):
    """A number in digits replaced by an extreme one."""
    found = list(re.finditer(rb'\d+', data))
    if not found:
        return flipped(data, random)
    place = random.choice(found)
    return data[: place.start()] + random.choice(DIGITS) + data[place.end() :]


def exchanged(data, random):
    """Two blocks exchanged."""
    size = random.choice((4, 64, 512))
    first, second = sorted(random.randrange(len(data)) for _ in range(2))
    second = max(second, first + size)
    return (
        data[:first] + data[second : second + size] + data[first + size : second] + data[first : first + size]
        + data[second + size :]
    )  # fmt: skip


KINDS = (flipped, cut, removed, inserted, overwritten, overwritten, renumbered, exchanged)


def mutated(data, random):
    """A damaged copy of a file: mostly one change, sometimes two."""
    for _ in range(random.choice((1, 1, 1, 2))):
        data = random.choice(KINDS)(bytearray(data or b'\0'), random)
    return bytes(data)
