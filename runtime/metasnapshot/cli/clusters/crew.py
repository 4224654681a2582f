"""Processes of our own command, one a cluster: what becomes of one of them is no matter
of the others. One loop in one thread reads what they say, a whole line at a time, and ends
them all when this process is to end. None of them is left running; where this process is killed
itself, each ends as soon as it says something that nobody hears.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Literal

from metasnapshot.cli.aliases import META_ADDRESS
from metasnapshot.cli.clusters.stops import Stops
from metasnapshot.errors import MetasnapshotError

GRACE_S = 30.0
"""How long a process may clean up after it was asked to end."""
LOOK_S = 0.5
"""How often is looked for what no pipe tells."""
CHUNK = 1 << 16
Stream = Literal["out", "err"]


@dataclass(frozen=True)
class Outcome:
    """What came of a cluster's process.

    Attributes:
        name: of the cluster.
        code: exit code; 128 and the number of a signal that killed it.
        seconds: how long it took.
        out: lines on stdout that nobody was told yet.
        err: the same of stderr.
        fate: how it ended, where that is more than an exit code.
    """

    name: str
    code: int
    seconds: float
    out: Sequence[str] = ()
    err: Sequence[str] = ()
    fate: str = ""


Told = Callable[[str, Stream, list[str]], None]
"""Is told a cluster's name, a stream, and whole lines of it, as they come."""
Ended = Callable[[Outcome], float | None]
"""Is told of an end; says after how many seconds the next process of the cluster starts, if one."""


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    begun: float
    ends: float
    """When it is asked to end, or killed."""
    fate: str = ""
    is_asked: bool = False
    rest: dict[Stream, bytes] = field(default_factory=lambda: {"out": b"", "err": b""})
    """What follows the last whole line."""
    lines: dict[Stream, list[str]] = field(default_factory=lambda: {"out": [], "err": []})
    open: dict[Stream, IO[bytes]] = field(default_factory=dict)


class Crew:
    """The processes.

    Args:
        command: the command line of a cluster's.
        limit: how many run at a time.
        time_limit_s: how long each may take.
        told: is told their lines as they come; by default an outcome has them.
    """

    def __init__(
        self,
        command: Callable[[str], Sequence[str]],
        *,
        limit: int,
        time_limit_s: float = float("inf"),
        told: Told | None = None,
    ) -> None:
        self._command, self._limit, self._time_limit_s = command, limit, time_limit_s
        self._told = told
        self._due: dict[str, float] = {}
        self._running: list[_Child] = []
        self._selector = selectors.DefaultSelector()

    def run(self, delays: Mapping[str, float], ended: Ended, stops: Stops) -> None:
        """Run a process for each cluster, until the last one ended.

        Args:
            delays: by name of a cluster, after how many seconds its process starts.
            ended: is told of each end.
            stops: is asked to end it all.
        """
        now = time.monotonic()
        self._due = {name: now + delay for name, delay in delays.items()}
        seen = 0
        with self._selector:
            self._selector.register(stops.pipe, selectors.EVENT_READ, None)
            try:
                while self._due or self._running:
                    if stops.count > seen:
                        self._stop(stops.number, at_once=seen > 0)
                        seen = stops.count
                    self._start(ended)
                    self._listen(stops)
                    self._look(ended)
            finally:
                self._end_all()

    def _start(self, ended: Ended) -> None:
        """Start what is due, as far as there is room."""
        now = time.monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            if len(self._running) >= self._limit:
                return
            del self._due[name]
            try:
                process = subprocess.Popen(  # noqa: S603 - our own command, by a list of words
                    self._command(name),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=_environment(),
                    process_group=0,  # Ctrl-C reaches us, and we tell them, once
                )
            except OSError as error:
                fate = f"could not be started: {error.strerror or error}"
                again = ended(Outcome(name, MetasnapshotError.exit_code, 0.0, fate=fate))
                if again is not None:
                    self._due[name] = now + again
                continue
            child = _Child(name, process, now, now + self._time_limit_s)
            self._running.append(child)
            self._open(child, "out", process.stdout)
            self._open(child, "err", process.stderr)

    def _open(self, child: _Child, stream: Stream, file: IO[bytes] | None) -> None:
        assert file is not None
        child.open[stream] = file
        os.set_blocking(file.fileno(), False)
        self._selector.register(file, selectors.EVENT_READ, (child, stream))

    def _listen(self, stops: Stops) -> None:
        """Read what the processes say, until something else may be to do."""
        now = time.monotonic()
        wait = min([LOOK_S, *(due - now for due in self._due.values() if due > now)])
        for key, _ in self._selector.select(wait):
            if key.data is None:
                stops.drain()
            else:
                self._read(*key.data)

    def _read(self, child: _Child, stream: Stream) -> bool:
        """Hear what there is; false if there is nothing now."""
        file = child.open[stream]
        try:
            data = os.read(file.fileno(), CHUNK)
        except BlockingIOError:
            return False
        *lines, child.rest[stream] = (child.rest[stream] + data).split(b"\n")
        self._tell(child, stream, lines)
        if not data:
            self._close(child, stream)
        return bool(data)

    def _close(self, child: _Child, stream: Stream) -> None:
        file = child.open.pop(stream)
        self._selector.unregister(file)
        file.close()
        if child.rest[stream]:
            self._tell(child, stream, [child.rest[stream]])
            child.rest[stream] = b""

    def _tell(self, child: _Child, stream: Stream, lines: Sequence[bytes]) -> None:
        found = [line.decode(errors="backslashreplace").rstrip("\r") for line in lines]
        if self._told is None:
            child.lines[stream] += found
        elif found:
            self._told(child.name, stream, found)

    def _look(self, ended: Ended) -> None:
        """See who ended, and end who takes too long."""
        now = time.monotonic()
        for child in list(self._running):
            if child.process.poll() is not None:
                outcome = self._finish(child)
                again = ended(outcome)
                if again is not None and not child.is_asked:
                    self._due[child.name] = time.monotonic() + again
            elif now >= child.ends:
                if not child.is_asked:
                    child.fate = "took too long, and was ended"
                self._ask(child, signal.SIGTERM)

    def _finish(self, child: _Child) -> Outcome:
        """Hear the rest of one that ended; others may hold its pipes, and nobody waits for them."""
        self._running.remove(child)
        for stream in list(child.open):
            while self._read(child, stream):
                pass
            if stream in child.open:
                self._close(child, stream)
        code, fate = child.process.returncode, child.fate
        if code < 0:
            fate = f"{fate}: {_killed(-code)}" if fate else _killed(-code)
        return Outcome(
            child.name,
            code if code >= 0 else 128 - code,
            time.monotonic() - child.begun,
            child.lines["out"],
            child.lines["err"],
            fate,
        )

    def _stop(self, number: int, *, at_once: bool) -> None:
        """Start nothing more, and end what runs."""
        self._due.clear()
        for child in self._running:
            if at_once:
                child.is_asked = True
            self._ask(child, number)

    def _ask(self, child: _Child, number: int) -> None:
        """Ask a process to end; one that was asked and is still there is killed, and its own with
        it.
        """
        if child.is_asked:
            os.killpg(child.process.pid, signal.SIGKILL)
            return
        child.is_asked = True
        child.ends = time.monotonic() + GRACE_S
        child.process.send_signal(number)

    def _end_all(self) -> None:
        """Leave nothing running, whatever ended the loop."""
        for child in self._running:
            child.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + (GRACE_S if self._running else 0)
        for child in self._running:
            for file in child.open.values():
                file.close()
            try:
                child.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()


def own_command(words: Sequence[str], *, is_live: bool = False) -> list[str]:
    """A command line of ours as another process runs it, from no module of the working directory.

    Args:
        words: behind the command's name.
        is_live: each line is heard at once.
    """
    return [sys.executable, "-P", *(["-u"] if is_live else []), "-m", "metasnapshot", *words]


def _environment() -> dict[str, str]:
    """Ours without colours, and without the address of a meta node, which is one cluster's."""
    left_out = ("FORCE_COLOR", META_ADDRESS)
    return {name: it for name, it in os.environ.items() if name not in left_out} | {"NO_COLOR": "1"}


def _killed(number: int) -> str:
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"
