"""By whom batches are worked on: by threads of this process, or by the workers of a scheduler."""

from __future__ import annotations

from typing import Any

from metasnapshot.errors import UsageError
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.spread.abroad import DaskSpread
from metasnapshot.operations.spread.scheduler import Scheduler
from metasnapshot.operations.spread.sides import Side
from metasnapshot.operations.spread.spec import Spread
from metasnapshot.operations.spread.threads import ThreadSpread
from metasnapshot.store.context import Context

INSTALL = "pip install 'metasnapshot[dask]'"


def spread_by(pace: Pace, context: Context, source: Side, target: Side | None = None) -> Spread:
    """What spreads work on objects.

    Args:
        pace: how fast, and by whom.
        context: how stores are reached.
        source: where the objects are.
        target: where they go.

    Raises:
        UsageError: a scheduler is named, and what speaks to one is not installed.
    """
    if pace.dask is None:
        return ThreadSpread(pace, source, target)
    load_dask()
    return DaskSpread(pace.dask, pace, context, source, target)


def require_scheduler(scheduler: Scheduler | None) -> None:
    """See that a scheduler answers and has a worker, before anything is begun.

    Raises:
        UsageError: what speaks to one is not installed.
        SchedulerUnavailable: it does not answer, or has no workers.
    """
    if scheduler is not None:
        load_dask().require_workers(scheduler)


def load_dask() -> Any:
    """The only module that imports Dask.

    Raises:
        UsageError: it is not installed.
    """
    try:
        from metasnapshot.operations.spread import on_dask  # noqa: PLC0415 - an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"distributed", "dask"}:
            raise
        raise UsageError("--scheduler needs Dask", hint=INSTALL) from error
    return on_dask
