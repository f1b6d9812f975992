"""Steps of augmentation that follow the one of ``--augment``, each with a name and parameters of the field's sources.

:mod:`.randaugment` and :mod:`.trivialaugment` choose among the :mod:`.operations`, which are made of :mod:`.tones`,
:mod:`.enhancement` and :mod:`.affine`; :mod:`.naming` has their names. :mod:`.jitter` has random colors and rotation,
:mod:`.erasing` random erasing and Cutout. :mod:`.step` says what a step is, and :mod:`.fill` what it fills in. A step
takes images of any height, width and number of channels.

May import what :mod:`gluon_cbam.data.loading` may, and no mxnet.
"""
