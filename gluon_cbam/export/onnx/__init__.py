"""ONNX graphs: translation from MXNet, optimization passes, and the file.

``translation`` translates a traced network by the table in ``operators``; ``simplification`` has the passes for every
engine, ``engine_passes`` and ``winograd`` those for one engine. It may import ``export.tracing`` and ``common``.
"""
