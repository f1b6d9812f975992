"""Models with weights: resolved once, found in the store or downloaded, built and loaded.

* ``resolve``: the one place where a model's name, weights, card, options, classes and preprocessing are merged;
* ``model``: :func:`gluon_cbam.get_model` and :func:`gluon_cbam.features`;
* ``locate``: published weights, from the store or downloaded and converted;
* ``conversion``: files of other implementations, converted to ours with a card, and back.

Words: a *model* is what has a name (a row, options and perhaps weights); its *network* is the Gluon block that it
builds. Where a parameter, the flag ``--network``, or the key ``network`` of a card or of JSON holds a text, it is the
name of a model; ``--model`` is another name of that flag.

This package may import ``convert``, ``weights``, ``models``, ``data``, ``zoo`` and ``common``.
"""
