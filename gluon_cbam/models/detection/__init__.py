"""Detectors: anchors, box coding, heads, suppression, and one file for each family.

The rows of the families are in :mod:`gluon_cbam.models.detection_variants`. It may import
what :mod:`gluon_cbam.models` may.
"""
