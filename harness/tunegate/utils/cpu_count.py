"""Row checks, shard by shard: in this process, in several, or on a cluster, with one result.

A shard is a Dataset of consecutive rows, which keep their numbers and lines. What is found comes
back in the order of the shards, so that it does not matter where they ran.

New processes are started afresh (`spawn`) on every platform. A fork would be cheaper, but what
is forked here has run numba, BLAS or torch: their threads are not there in the child, the locks
they held are, and a child that meets one waits forever. On a cluster, put its executor in place:

    with shards.run_on(Client("tcp://scheduler:8786").get_executor()):  # Dask
        ...
"""

from __future__ import annotations

import os

WORKERS_VARIABLE = "TUNEGATE_WORKERS"


def worker_count() -> int:
    """Return how many processes row checks may use: the CPUs of this process.

    pytest-xdist's workers share them. The environment variable TUNEGATE_WORKERS overrides it (for
    a container that has a quota); raises ValueError where that is no number of 1 or more.
    """
    value = os.environ.get(WORKERS_VARIABLE)
    if value is not None:
        if not (value.isascii() and value.isdigit() and int(value) > 0):
            raise ValueError(
                f"{WORKERS_VARIABLE} is {value!r}; a whole number of 1 or more is valid"
            )
        return int(value)
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cpus // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
