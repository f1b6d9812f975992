"""Heads of face recognition: margins over the cosines of embeddings and class weights.

:mod:`.table` has a row for each head; :mod:`.margin` is what a row computes, on all classes or on a shard of them;
:mod:`.class_weight` computes the cosines, :mod:`.class_head` is the head of a run, and :mod:`.sharded` the one whose
class weights are sharded over devices. It may import ``common``, and the
interfaces of ``tasks``. Importing :mod:`.table` imports neither mxnet nor numpy.
"""
