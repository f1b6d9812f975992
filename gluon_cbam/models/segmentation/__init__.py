"""Networks of semantic segmentation: the base and its heads, and a file for each family.

The rows are in :mod:`gluon_cbam.models.segmentation_variants`. It may import what :mod:`gluon_cbam.models` may.
"""
