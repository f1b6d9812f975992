"""Attention maps and Grad-CAM, computed on the graph of a network."""
