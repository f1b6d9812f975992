"""Publishing the weights of a run (:mod:`.publish`), and verifying the scores of published weights (:mod:`.verify`).

It may import ``training``, ``inference``, ``tasks``, ``pretrained``, ``zoo``, ``weights``, ``models``, ``data``,
``compat`` and ``common``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

__getattr__ = renamed_attributes(__name__, {'About': 'publishing.publish.About'})
