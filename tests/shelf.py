"""Cards for tests of the zoo, and registries of them."""

import hashlib
import io
import json
import zipfile

PREPROCESSING = {'image_size': 16, 'crop_ratio': 0.875, 'mean': [0.5, 0.5, 0.5], 'std': [0.2, 0.2, 0.2]}


def own_card(body, *addresses, tag='cbamnet_tiny.test', **changes):
    """A card of a parameter file of ours, as a registry holds it."""
    network = tag.partition('.')[0]
    return {
        'tag': tag, 'network': network, 'classes': 10, 'preprocessing': PREPROCESSING, 'bytes': len(body),
        'sha256': hashlib.sha256(body).hexdigest(), 'source': 'a test', 'metrics': {'top1': 0.5},
        'original': {'name': f'{tag}.params', 'addresses': list(addresses)}, **changes,
    }  # fmt: skip


def their_card(body, *addresses, name='theirs.params', tag='cbamnet_tiny.theirs', source='imgclsmob', **original):
    """A card of a file that is converted; with ``body`` None, of one without a known hash."""
    card = own_card(b'', tag=tag)
    del card['sha256'], card['bytes']
    hashes = {} if body is None else {'sha1': hashlib.sha1(body).hexdigest()}
    file = {'name': name, 'addresses': list(addresses), 'conversion': source, **hashes, **original}
    return {**card, 'parameters': 100_000, 'original': file}


def write_registry(path, *cards):
    """A registry file; returns its path as text."""
    path.write_text(json.dumps(cards))
    return str(path)


def zipped(**members):
    """A zip of members; a body that is None makes a link to /etc/passwd."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100600 if body is not None else 0o120777) << 16
            archive.writestr(info, b'/etc/passwd' if body is None else body)
    return buffer.getvalue()
