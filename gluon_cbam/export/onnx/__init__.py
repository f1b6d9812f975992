"""ONNX without the package ``onnx`` until a file is written: graph, operators, optimization passes, and the file.

``translation`` makes a graph of a traced network by the table in ``operators``; ``simplification`` has the passes for
every engine, ``engine_passes`` and ``winograd`` those for one. It may import ``export.tracing`` and ``common``.
"""
