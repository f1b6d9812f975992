"""Events for TensorBoard, read as TensorBoard shows them."""

import struct


def events(folder):
    """The events of a folder in the order they were written, read as TFRecords."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir()):
        data, offset = path.read_bytes(), 0
        while offset < len(data):
            (length,) = struct.unpack_from('<Q', data, offset)
            event = Event()
            event.ParseFromString(data[offset + 12 : offset + 12 + length])
            found.append(event)
            offset += 12 + length + 4
    return sorted(found, key=lambda event: event.wall_time)


def shown(folder):
    """(tag, step) -> value as TensorBoard shows it: the start of a session hides what is at its step and later."""
    scalars = {}
    for event in events(folder):
        if event.HasField('session_log'):
            scalars = {key: value for key, value in scalars.items() if key[1] < event.step}
        for value in event.summary.value:
            assert (value.tag, event.step) not in scalars
            scalars[value.tag, event.step] = value.simple_value
    return scalars
