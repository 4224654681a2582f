"""A small RisingWave cluster for tests: a meta store and a bucket that are real, a meta node that
commits, compacts, checkpoints, trims and collects garbage by upstream's rules, and SQL on top.
"""

from cluster.command import as_process, in_this_process
from cluster.control import Cluster
from cluster.frontend import SqlError
from cluster.meta import Buckets
from cluster.objects import Clock

__all__ = ["Buckets", "Clock", "Cluster", "SqlError", "as_process", "in_this_process"]
