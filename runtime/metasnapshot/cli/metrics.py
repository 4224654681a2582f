"""`--metrics-file` and `watch --metrics-port`: what a run came to, for Prometheus.

The file is for the textfile collector of the node exporter. It is replaced as a whole, whether the
run went well or not. It also is the memory of its counters, and of what a run did not look at: each
run reads what the last one left; without a file the process remembers. RisingWave's own names stay:
backup_job_count and backup_job_latency (src/meta/src/backup_restore/metrics.rs). Labels say the
directory and, where its snapshots do, the cluster: files of several directories lie side by side.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from metasnapshot.cli.outcome import Outcome
from metasnapshot.errors import MetasnapshotError, StorageError

LINE = r"([a-z_]+(?:\{.*\})?) (\S+)"
_LABEL = r'([a-z_]+)="((?:[^"\\]|\\.)*)"'
BUCKETS = tuple(1.5**power for power in range(20))
"""Upper ends of backup_job_latency, in seconds."""
OURS = ("directory", "cluster")
Labels = dict[str, str]
HELP = {
    "metasnapshot_last_run_timestamp_seconds": ("gauge", "when a verb ran last"),
    "metasnapshot_last_run_exit_code": ("gauge", "what it ended with"),
    "metasnapshot_last_run_duration_seconds": ("gauge", "how long it took"),
    "metasnapshot_last_success_timestamp_seconds": ("gauge", "when it went well last"),
    "metasnapshot_snapshots": ("gauge", "snapshots in the manifest"),
    "metasnapshot_newest_timestamp_seconds": ("gauge", "when the newest sound one was taken"),
    "metasnapshot_newest_bytes": ("gauge", "bytes of its file"),
    "metasnapshot_newest_duration_seconds": ("gauge", "how long its backup took"),
    "metasnapshot_newest_full": ("gauge", "1: its objects are in the backup too; 0: they are not"),
    "metasnapshot_newest_verified_level": (
        "gauge",
        "how deep it was verified: 0 never, 1 file, 2 rows, 3 refs, 4 objects",
    ),
    "metasnapshot_newest_verified_timestamp_seconds": ("gauge", "when that was; 0 for never"),
    "metasnapshot_problems": ("gauge", "what check complains about"),
    "metasnapshot_objects_missing": ("gauge", "objects that snapshots need and that are not there"),
    "metasnapshot_pinned_bytes": ("gauge", "bytes of the objects that all snapshots need"),
    "metasnapshot_drill_timestamp_seconds": ("gauge", "when a restore was rehearsed last"),
    "metasnapshot_drill_duration_seconds": ("gauge", "how long it took"),
    "metasnapshot_drill_success": ("gauge", "1: every row came back; 0: it failed"),
    "backup_job_count": ("counter", "total backup job count"),
    "backup_job_latency": ("histogram", "latency of backup jobs"),
}


@dataclass
class Run:
    """What a run came to."""

    code: int = 1


class Metrics:
    """Values of a run by name and labels, and the file that they go to."""

    def __init__(self, outcome: Outcome) -> None:
        self.path: Path | None = None
        self.outcome = outcome
        self.is_served = False
        """Whether the process shows them itself."""
        self.page = ""
        """All that is known, in the text format, since the last `write`."""
        self.values: dict[tuple[str, str], float] = {}
        """Of this run: by name, and by the verb that is a label of it, if one is."""

    @contextmanager
    def timed(self, verb: str) -> Generator[Run]:
        """Write what the block came to: its code, or that of an error that leaves it."""
        run, start = Run(), time.monotonic()
        try:
            yield run
        except MetasnapshotError as error:
            run.code = error.exit_code
            raise
        finally:
            self.write(verb, run.code, time.monotonic() - start)

    @property
    def are_wanted(self) -> bool:
        """Whether anybody will see them: what costs a request is not asked for nobody."""
        return self.path is not None or self.is_served

    def set(self, name: str, value: float, verb: str = "") -> None:
        """Say a value of this run.

        Args:
            name: of the metric, one of HELP.
            value: in the unit that its name ends with.
            verb: a label, where what one verb found says nothing of what others found.
        """
        self.values[name, verb] = value

    def serve(self) -> None:
        """Show what earlier runs left, and from now on what each `write` adds.

        Raises:
            StorageError: the file cannot be read.
        """
        self.is_served = True
        self.page = render(self._earlier())

    def write(self, verb: str, code: int, seconds: float) -> None:
        """Write what this run and the earlier ones came to.

        Raises:
            StorageError: the file cannot be written.
        """
        if not self.are_wanted:
            return
        with _alone(self.path):
            self._add(verb, code, seconds)

    def _add(self, verb: str, code: int, seconds: float) -> None:
        """Add this run to what the file has, while nobody else does."""
        labels = self._labels()
        values = _taken_over(self._earlier(), verb, labels)
        for (name, which), value in self.values.items():
            values[_key(name, labels, **({"verb": which} if which else {}))] = value
        self.values.clear()  # what somebody else writes until the next round is newer
        _count(values, verb, code, seconds, labels)
        self.page = render(values)
        if self.path is None:
            return
        try:
            _replace(self.path, self.page)
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror or error}") from error

    def _earlier(self) -> dict[str, float]:
        """What the runs before this one left."""
        if self.path is None:
            return parse(self.page)
        try:
            return parse(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, UnicodeDecodeError):
            return {}
        except OSError as error:
            raise StorageError(f"cannot read {self.path}: {error.strerror or error}") from error

    def _labels(self) -> Labels:
        """Of which directory and cluster this run is, as far as that is known."""
        found = {"directory": self.outcome.directory, "cluster": self.outcome.cluster}
        return {name: value for name, value in found.items() if value}


def render(values: dict[str, float]) -> str:
    """The text format, by metric."""
    lines: list[str] = []
    for name, (kind, what) in HELP.items():
        suffixes = ("", "_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found = [
            f"{key} {value:.3f}".rstrip("0").rstrip(".")
            for key, value in values.items()
            if key.partition("{")[0] in {f"{name}{suffix}" for suffix in suffixes}
        ]
        if found:
            lines += [f"# HELP {name} {what}", f"# TYPE {name} {kind}", *found]
    return "".join(f"{line}\n" for line in lines)


def _key(name: str, labels: Labels, **more: str) -> str:
    """A metric with its labels, values escaped as the text format wants it."""
    found = [f'{label}="{_escaped(value)}"' for label, value in {**labels, **more}.items()]
    return f"{name}{{{','.join(found)}}}" if found else name


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _taken_over(values: dict[str, float], verb: str, labels: Labels) -> dict[str, float]:
    """What earlier runs left, under the labels of this one: those of a directory count on when its
    cluster becomes known, and those of 0.1.0, which had no such labels, too.
    """
    found: dict[str, float] = {}
    for key, value in values.items():
        name, _, text = key.partition("{")
        there = dict(re.findall(_LABEL, text))
        where = there.get("directory", "")
        is_same = where == _escaped(labels.get("directory", "")) or (
            not where and there.get("verb", verb) == verb
        )
        if labels and is_same:
            more = [f'{label}="{it}"' for label, it in there.items() if label not in OURS]
            mine = [f'{label}="{_escaped(it)}"' for label, it in labels.items()]
            found[f"{name}{{{','.join([*mine, *more])}}}"] = value
        else:
            found[key] = value
    return found


def _count(values: dict[str, float], verb: str, code: int, seconds: float, labels: Labels) -> None:
    values[_key("metasnapshot_last_run_timestamp_seconds", labels, verb=verb)] = time.time()
    values[_key("metasnapshot_last_run_exit_code", labels, verb=verb)] = code
    values[_key("metasnapshot_last_run_duration_seconds", labels, verb=verb)] = seconds
    if code == 0:
        success = _key("metasnapshot_last_success_timestamp_seconds", labels, verb=verb)
        values[success] = time.time()
    if verb != "backup":
        return
    count = _key("backup_job_count", labels)
    values[count] = values.get(count, 0) + 1
    state = "success" if code == 0 else "failure"
    for end in (*BUCKETS, float("inf")):
        shown = "+Inf" if end == float("inf") else repr(end).removesuffix(".0")
        name = _key("backup_job_latency_bucket", labels, state=state, le=shown)
        values[name] = values.get(name, 0) + (seconds <= end)
    for name, more in (("sum", seconds), ("count", 1)):
        key = _key(f"backup_job_latency_{name}", labels, state=state)
        values[key] = values.get(key, 0) + more


def parse(text: str) -> dict[str, float]:
    """What `render` made; lines of another form are passed over."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        match = re.fullmatch(LINE, line)
        if match is not None:
            try:
                found[match[1]] = float(match[2])
            except ValueError:
                continue
    return found


@contextmanager
def _alone(path: Path | None) -> Generator[None]:
    """Keep other runs from adding to the same file, for the block: what one of them reads there and
    writes again would lack what this one adds. The lock is that of the folder, and leaves no file
    behind; where a file system locks no folders, such as NFS, nobody is kept off.
    """
    import fcntl  # noqa: PLC0415 - seldom asked for

    if path is None:
        yield
        return
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one."""
    import tempfile  # noqa: PLC0415 - seldom asked for

    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
