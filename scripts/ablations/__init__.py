"""The parts of ``scripts/ablation``: the ``networks``, the ``pictures``, the ``corruptions`` and the ``report``."""
