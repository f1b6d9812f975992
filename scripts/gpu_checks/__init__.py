"""The checks of ``scripts/gpu_check``: what this package does on GPUs, against its results on the CPU.

``table`` has a row for each check: a function of :class:`.setting.Setting` and :class:`.recorder.Recorder`. ``process``
runs each in a process of its own (``child``) and ends it when its time is up; ``machine`` describes the machine, and
``report`` writes what is sent to the maintainers.
"""
