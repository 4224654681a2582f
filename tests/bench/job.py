"""One side of `against`: does the jobs that it is told, one a line, and says what each took.

Run by a side's own interpreter, with that side's folder of benchmarks, which knows its functions:
`job.py BENCHES FOLDER DELTAS`. The folder has a snapshot, its manifest, and deltas.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def jobs(folder: Path, count: int) -> dict[str, Callable[[], object]]:
    """Each job by name; what it is given is read beforehand."""
    import baselines  # noqa: PLC0415 (of the side, which main has put first)
    import data  # noqa: PLC0415
    import deltas  # noqa: PLC0415

    path = folder / "backup" / "2.snapshot"
    models = baselines.models(path)
    version, rows = deltas.read_version(folder), list(deltas.read_rows(folder, count))
    documents = [baselines.decode_orjson(*row) for row in baselines.raw_rows(path)]
    raw = baselines.raw_rows(path)
    return {
        "decode": lambda: baselines.decode_file(path),
        "encode": lambda: baselines.encode_models(models),
        "verify file": lambda: data.verify("file"),
        "verify rows": lambda: data.verify("rows"),
        "restore": lambda: data.restore(folder),
        "backup": lambda: data.backup(folder),
        "replay": lambda: deltas.replay(version, rows, [deltas.RULES]),
        "orjson decode": lambda: baselines.decode_all(raw, baselines.decode_orjson),
        "orjson encode": lambda: baselines.encode_all(documents, baselines.encode_orjson),
    }


def main() -> int:
    benches, folder, count = sys.argv[1:]
    sys.path[0] = benches
    os.chdir(folder)
    known = jobs(Path(folder), int(count))
    found = sys.modules["metasnapshot"].__file__ or ""
    assert Path(found).is_relative_to(Path(benches).parents[1]), f"{found} is the other side's"
    print(json.dumps(list(known)), flush=True)
    for line in sys.stdin:
        job = known[line.strip()]
        start = time.perf_counter(), time.process_time()
        job()
        print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1]]))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
