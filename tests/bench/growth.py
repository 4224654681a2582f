"""`make bench-growth`: what verbs cost as the work grows, and by which power it does.

Each verb runs in a process of its own, first on the smallest folder, so that what is loaded once is
no part of the figures, then on the one that is measured: seconds of the processor, and MiB of peak
memory over what it held before. `--gate` does two small decades and fails where the cost of the
last one grows by more than EXPONENT_MAX allows.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import data
import measure
import msgspec
import numpy as np

import metasnapshot
from metasnapshot import Blob
from metasnapshot.catalogue.entry import new_entry
from metasnapshot.catalogue.manifest import Manifest, render
from metasnapshot.cli.app import main as command
from metasnapshot.format.layout import HUMMOCK_VERSION, section_names
from metasnapshot.format.writer import SnapshotWriter
from metasnapshot_models.layouts import LAYOUTS

EXPONENT_MAX = 1.15
ROUNDS = 2
ROUNDS_MORE = 2
"""For a verb that seems to grow too fast: a neighbour may have been at work."""
FLOOR_S = 0.05
"""Less than that is noise: no power is made of it."""
FIRST = 1_000_000
SMALL_BLOB = 20
"""Bytes of a row's blob where rows are counted."""
SNAPSHOTS = 10
"""Entries of a manifest whose objects are counted."""


class Axis(NamedTuple):
    """What grows, by which verbs it is looked at, and how far; some only by the gate."""

    unit: str
    verbs: tuple[str, ...]
    sizes: tuple[int, ...]
    gate: tuple[int, ...]


AXES = (
    Axis("MiB", ("restore", "backup", "verify", "diff"), (1, 10, 100, 1000), (1, 4, 40)),
    Axis(
        "rows",
        ("restore", "backup", "verify", "diff"),
        (1_000, 10_000, 100_000, 1_000_000),
        (1_000, 4_000, 40_000),
    ),
    Axis(
        "objects",
        ("list", "pins"),
        (1_000, 10_000, 100_000, 1_000_000),
        (1_000, 100_000, 1_000_000),
    ),
    Axis("many rows", ("diff",), (), (1_000, 100_000, 200_000)),
    Axis("files", ("gc",), (10, 100, 1_000, 10_000), (10, 500, 5_000)),
)


class Cost(NamedTuple):
    """What a verb took."""

    seconds: float
    peak_mib: float


def make(folder: Path, unit: str, size: int) -> None:
    """A folder with as much work as is said."""
    backups = folder / "backup"
    backups.mkdir(parents=True)
    if unit == "objects":
        _write_objects(backups, size)
        return
    if unit == "files":
        shutil.copytree(data.GOLDEN / "backup", backups, dirs_exist_ok=True)
        for number in range(FIRST, FIRST + size):
            (backups / f"{number}.snapshot").write_bytes(b"")
        return
    blob_size = data.BLOB_SIZE if unit == "MiB" else SMALL_BLOB
    rows = round(size * (1 << 20) / (blob_size * data.TEXT_PER_BYTE)) if unit == "MiB" else size
    entries = [_write_snapshot(backups, number, rows, blob_size) for number in (2, 3)]
    (backups / "manifest.json").write_bytes(render(Manifest(3, tuple(entries))))


def _write_snapshot(backups: Path, number: int, rows: int, blob_size: int) -> Any:
    """The golden snapshot with so many fragments more; its entry."""
    golden = metasnapshot.loads((data.GOLDEN / "backup" / "2.snapshot").read_bytes())
    for row in golden.sections["system_parameters"]:
        if row.name == "state_store":
            row.value = data.STATE_STORE
    layout = LAYOUTS[golden.layout]
    with (backups / f"{number}.snapshot").open("wb") as file:
        writer = SnapshotWriter(file, number, layout)
        for section in section_names(layout):
            if section == HUMMOCK_VERSION:
                writer.write_hummock_version(golden.hummock_version)
                continue
            known, count = golden.sections[section], rows if section == "fragments" else 0
            made = chain(known, _fragments(known, count, blob_size))
            writer.write_section(section, len(known) + count, made)
        writer.finish()
    return new_entry(number, golden.hummock_version.message, [], layout)


def _fragments(known: list[Any], count: int, blob_size: int) -> Iterator[Any]:
    random = np.random.default_rng(7)
    for number in range(FIRST, FIRST + count):
        blob = random.integers(0, 256, blob_size, dtype=np.uint8).tobytes()
        yield msgspec.structs.replace(known[0], fragment_id=number, stream_node=Blob(blob))


def _write_objects(backups: Path, size: int) -> None:
    """A manifest whose snapshots need so many objects each, one in ten of them its own."""
    golden = json.loads((data.GOLDEN / "backup" / "manifest.json").read_bytes())
    template = golden["snapshot_metadata"][-1]
    for number in range(1, SNAPSHOTS + 1):
        first = FIRST + number * (size // 10)
        template |= {"id": number, "ssts": list(range(first, first + size))}
        text = msgspec.json.encode(template)
        with (backups / "manifest.json").open("ab") as file:
            head = b'{"manifest_id":10,"snapshot_metadata":[' if number == 1 else b","
            file.write(head + text)
        shutil.copyfile(data.GOLDEN / "backup" / "2.snapshot", backups / f"{number}.snapshot")
    with (backups / "manifest.json").open("ab") as file:
        file.write(b"]}")


def _said(*words: str) -> None:
    """Run a verb whose output nobody wants."""
    with redirect_stdout(StringIO()):
        code = command([*words, "--backup-storage-url", f"fs://{Path.cwd()}"])
    assert code in (0, 3), f"{words} ends with {code}"


VERBS: dict[str, Callable[[], object]] = {
    "restore": lambda: data.restore(Path.cwd()),
    "backup": lambda: data.backup(Path.cwd()),
    "verify": lambda: data.verify("rows"),
    "diff": lambda: _said("diff", "2", "3", "--json"),
    "list": lambda: _said("list"),
    "pins": lambda: _said("pins", "2"),
    "gc": lambda: _said("gc"),
}


def job(verb: str, warm: Path, folder: Path) -> Cost:
    """Run a verb on both folders; the cost of the second."""
    os.chdir(warm)
    VERBS[verb]()
    os.chdir(folder)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    held, start = measure.own_peak_kib(), time.process_time()
    VERBS[verb]()
    return Cost(time.process_time() - start, (measure.own_peak_kib() - held) / 1024)


def run(verb: str, warm: Path, folder: Path) -> Cost:
    """The same in a process of its own."""
    words = [sys.executable, __file__, "--job", verb, str(warm), str(folder)]
    found = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    return Cost(*json.loads(found.stdout))


def best(costs: list[Cost]) -> Cost:
    return Cost(*map(min, zip(*costs, strict=True)))


def exponent(costs: dict[int, Cost]) -> float | None:
    """By which power the time grew in the last step; None if it is too small to say."""
    before, last = list(costs)[-2:]
    if costs[last].seconds < FLOOR_S:
        return None
    ratio = costs[last].seconds / max(costs[before].seconds, FLOOR_S / 10)
    return math.log(ratio) / math.log(last / before)


def measured(folder: Path, axis: Axis, sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """The cost of each verb at each size."""
    found: dict[str, dict[int, Cost]] = {verb: {} for verb in axis.verbs}
    warm = folder / str(sizes[0])
    for size in sizes:
        place = folder / str(size)
        make(place, axis.unit, size)
        for verb in axis.verbs:
            found[verb][size] = best([run(verb, warm, place) for _ in range(rounds)])
            power = exponent(found[verb]) if size == sizes[-1] else None
            if power is not None and power > EXPONENT_MAX:
                again = [run(verb, warm, place) for _ in range(ROUNDS_MORE)]
                found[verb][size] = best([found[verb][size], *again])
        if size != sizes[0]:
            shutil.rmtree(place)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", nargs=3)
    parser.add_argument("--gate", action="store_true", help="small, and fail if a limit is broken")
    parser.add_argument("--only", nargs="+", help="units")
    given = parser.parse_args()
    if given.job:
        print(json.dumps(job(given.job[0], Path(given.job[1]), Path(given.job[2]))))
        return 0
    broken: list[str] = []
    print("| verb | of | each: seconds of the processor, MiB over the start | last power |")
    print("|---|---|---|---|")
    for axis in AXES:
        if given.only and axis.unit not in given.only:
            continue
        sizes = axis.gate if given.gate else axis.sizes
        if not sizes:
            continue
        with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-") as scratch:
            found = measured(Path(scratch), axis, sizes, 1 if given.gate else ROUNDS)
        for verb, costs in found.items():
            power = exponent(costs)
            each = "; ".join(
                f"{size}: {cost.seconds:.2f} s, {cost.peak_mib:.0f}" for size, cost in costs.items()
            )
            shown = "-" if power is None else f"{power:.2f}"
            print(f"| {verb} | {axis.unit} | {each} | {shown} |", flush=True)
            if power is not None and power > EXPONENT_MAX:
                broken.append(f"{verb} by {axis.unit}: {power:.2f}, {EXPONENT_MAX} at most")
    print("\n".join(broken), end="")
    return 1 if given.gate and broken else 0


if __name__ == "__main__":
    sys.exit(main())
