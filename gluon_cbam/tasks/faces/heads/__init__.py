"""Heads of face recognition: margins over the cosines of embeddings and class weights.

:mod:`.table` has a row for each head; :mod:`.margin` is what a row computes, on all classes or on a shard of them;
:mod:`.class_weight` computes the cosines, and :mod:`.class_head` is the head of a run. It may import ``common``.
Importing :mod:`.table` imports neither mxnet nor numpy.
"""
