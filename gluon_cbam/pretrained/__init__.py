"""Models with weights: resolved once, found in the store or downloaded, built and loaded.

* ``resolve``: the one place where a model's name, weights, card, options, classes and preprocessing are merged;
* ``model``: :func:`gluon_cbam.get_model` and :func:`gluon_cbam.features`;
* ``locate``: published weights, from the store or downloaded and converted;
* ``conversion``: files of other implementations, converted to ours with a card, and back.

A *model* has a name, a row of variants, options and perhaps weights; its *network* is the Gluon block built from it.
The flag ``--network``, its alias ``--model``, the key ``network`` of cards and JSON, and parameters of that name that
take a string hold the name of a model.

This package may import ``convert``, ``weights``, ``models``, ``data``, ``zoo`` and ``common``.
"""
