"""Spread work over processes: tasks in, results out in the same order, a few tasks ahead."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from stages.lib.isolation import die_with_parent
from stages.lib.stage import StageError

Item = TypeVar("Item")
Task = TypeVar("Task")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Task], Result], tasks: Iterable[tuple[Item, Task]], *, workers: int, stage: str
) -> Iterator[tuple[Item, Result]]:
    """Yield what came with each task and its result, in order; few tasks are held at a time.

    `work` and tasks are pickled, unless one worker, which is this process, does it all; what is loaded before, forked
    processes share. Raises StageError where a worker was killed.
    """
    if workers == 1:
        yield from ((item, work(task)) for item, task in tasks)
        return
    import multiprocessing

    ahead: deque[tuple[Item, Future[Result]]] = deque()
    fork = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(workers, mp_context=fork, initializer=die_with_parent) as pool:
            for item, task in tasks:
                ahead.append((item, pool.submit(work, task)))
                if len(ahead) > 2 * workers:
                    first, future = ahead.popleft()
                    yield first, future.result()
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
    except BrokenProcessPool:
        raise StageError(f"{stage}: a worker was killed, likely for memory; lower DIFFERENTIAL_WORKERS") from None


def worker_count() -> int:
    """Return DIFFERENTIAL_WORKERS, by default the number of CPUs."""
    value = os.environ.get("DIFFERENTIAL_WORKERS") or str(os.cpu_count() or 1)
    if not value.isdigit() or int(value) < 1:
        raise StageError(f"DIFFERENTIAL_WORKERS: {value!r}: must be a whole number of processes from 1")
    return int(value)
