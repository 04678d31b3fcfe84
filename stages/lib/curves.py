"""Training as it runs: a bar on a terminal, a log line per epoch, and curves that DVC and editors draw live."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.lib.stage import log

FOLDER = Path("dvclive")  # ignored by git, no output of DVC: it has seen a clock


@dataclass
class Curves:
    """What is shown of a run. Nothing that is written here may go into an output."""

    folder: Path
    bar: Any = None
    live: Any = None
    tokens: int = 0
    seconds: float = 0.0
    since: float = field(default_factory=time.monotonic)

    def step(self, number: int, steps: int, *, loss: float, tokens: int) -> None:
        """Show step `number` of `steps`: its loss in nats per note, and how many tokens its notes have."""
        if self.bar is None:
            self._begin(number - 1, steps)
        self.tokens += tokens
        now = time.monotonic()
        self.seconds, self.since = self.seconds + now - self.since, now
        speed = self.tokens / self.seconds
        self.bar.set_postfix_str(f"loss {loss:.3f}, {speed:,.0f} tokens/s", refresh=False)
        self.bar.update()
        self._log(number, {"train/loss": loss, "train/tokens_per_second": speed})

    def epoch(self, row: dict[str, float]) -> None:
        """Show a finished epoch."""
        log.info(
            "epoch %d: train %.3f, validation %.3f, validation accuracy %.3f, macro-F1 %.3f",
            *(row[name] for name in ("epoch", "train", "validation", "validation_accuracy", "validation_macro_f1")),
        )
        names = {"validation": "log_loss", "validation_accuracy": "accuracy", "validation_macro_f1": "macro_f1"}
        self._log(int(row["steps"]), {f"validation/{names[name]}": row[name] for name in names})
        if self.live:
            self.live.make_summary()
        self.since = time.monotonic()  # the time of validation is not that of training

    def _begin(self, done: int, steps: int) -> None:
        from tqdm import tqdm

        self.bar = tqdm(total=steps, initial=done, desc="training", unit="step", delay=5, disable=None, leave=False)
        self.live = _start_live(self.folder, done)
        self.since = time.monotonic()

    def _log(self, number: int, values: dict[str, float]) -> None:
        if self.live:
            self.live.step = number
            for name, value in values.items():
                self.live.log_metric(name, value)


@contextmanager
def shown() -> Iterator[Curves]:
    """Yield the curves of this workspace, and take the bar away at the end."""
    curves = Curves(FOLDER)
    try:
        yield curves
    finally:
        if curves.bar is not None:
            curves.bar.close()


def _start_live(folder: Path, done: int) -> Any:
    """Return DVCLive's logger, which goes on after step `done`, or None where it cannot start."""
    if not Path(".dvc", "config").exists():  # it would make the folder a repository of DVC
        return None
    os.environ["DVC_STUDIO_OFFLINE"] = "true"  # whatever DVC's configuration says of Studio
    from dvc.exceptions import DvcException
    from dvclive.live import Live
    from scmrepo.exceptions import SCMError

    for path in sorted(folder.rglob("*.tsv")):
        header, *lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join([header, *(line for line in lines if int(line.split("\t")[0]) <= done)]))
    try:
        return Live(str(folder), resume=done > 0, report=None, save_dvc_exp=False, dvcyaml=None, monitor_system=False)
    except (DvcException, SCMError) as error:
        log.warning("no live curves: DVCLive cannot start (%s)", error)
        return None
