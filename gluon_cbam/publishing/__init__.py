"""Weights of a run made public (:mod:`.publish`), and published weights scored here (:mod:`.verify`).

It may import ``training``, ``inference``, ``tasks``, ``pretrained``, ``zoo``, ``weights``, ``models`` and ``common``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

__getattr__ = renamed_attributes(__name__, {'About': 'publishing.publish.About'})
