"""ONNX: the graph, its operators, rewriting and tuning for engines, the file."""
