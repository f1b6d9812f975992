"""The parts of ``scripts/detection_study``: the ``pictures`` and the ``report``."""
