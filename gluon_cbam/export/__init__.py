"""Networks for other engines: symbols of stock MXNet, ONNX in float and in eight bits, parameters as safetensors.

``graph.py`` traces a network; everything else here starts from that trace. ``runtime.py`` runs what was written.
"""
