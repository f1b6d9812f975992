"""The parts of ``scripts/faces_study``: ``pictures`` and the ``idx`` files of some of them, and the ``report``."""
