"""Networks with weights, sessions that run them or exported files, and predictions for images, with their formats.

May import ``pretrained``, ``tasks``, ``data``, ``models``, ``weights``, ``compat`` and ``common``; not ``export``.
"""
