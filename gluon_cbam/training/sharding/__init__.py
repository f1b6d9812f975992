"""Class weights that are sharded over devices and processes: the embeddings travel, the weight does not.

* :mod:`.layout`: which classes a device has, and the first values of their rows;
* :mod:`.exchange`: sums and gatherings over all devices of all processes;
* :mod:`.weight`: the shards of this process, and the rows of them that a step trains;
* :mod:`.sampling`: the classes of a step of Partial FC;
* :mod:`.softmax`: the softmax over the logits of several shards;
* :mod:`.loss`: the loss of all devices of a batch, and its gradients;
* :mod:`.row_table`: rows of all shards in the order of classes, as checkpoints hold them;
* :mod:`.plan`: the memory that a head needs on each device.

It may import ``training.distributed``, ``tasks`` and ``common``.
"""
