"""Object detection: networks whose outputs are boxes with classes and scores.

It may import the modules of ``tasks``, ``models``, ``data`` and ``common``.
"""
