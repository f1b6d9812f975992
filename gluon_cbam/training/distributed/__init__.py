"""The processes that train one network together: :func:`.joining.join` connects them, by the name of a kvstore.

``cbam launch`` starts the processes of a parameter server, ``horovodrun`` those of Horovod; all run the same command.
It may import ``common`` and ``compat``. Importing this package imports none of its modules: parameter servers import
:mod:`.server_node` before they import mxnet.
"""

from gluon_cbam.compat.renamed import renamed_attributes

__getattr__ = renamed_attributes(
    __name__,
    {
        'Workers': 'training.distributed.process_group.ProcessGroup',
        'join': 'training.distributed.joining.join',
    },
)
