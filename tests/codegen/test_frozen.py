from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import frozen
from metasnapshot_codegen.frozen import Change
from metasnapshot_codegen.history import History

HINT = "hint: a released layout never changes; give the new state a since"
EDITED = "hint: bring frozen.txt back, as with git checkout"
SINKS = "{section: sinks, model: sink}"
REFRESH_JOBS = "{section: refresh_jobs, model: refresh_job, since: 2.0.0}"
TARGET = "{name: target, type: i32, nullable: true, until: 1.1.0}"
PROPERTIES = "    - {name: properties, type: Property}\n"
COLUMNS = "    - {name: columns, type: ColumnArray}\n"
ENABLED = "{name: enabled, type: bool, until: 1.1.0}"
OLD, MID, NEW = "layout `1.0.0`", "layout `1.1.0`", "layout `2.0.0`"
SINKS_COLUMN, JOBS_COLUMN = "section sinks, column", "section refresh_jobs, column"
A, F = "AppendOnly=APPEND_ONLY", "ForceAppendOnly=FORCE_APPEND_ONLY"
U, R = "Upsert=UPSERT", "Retract=RETRACT"


def sink_id(integer: str) -> str:
    return f"`SinkId(integer/{integer})!pk!auto_increment`"


def enum(*members: str) -> str:
    return f"`SinkType({'/'.join(('enum', *members))})`"


def moved(where: str, before: str, after: str) -> str:
    return f"{where}: frozen {before}, now {after}"


# What is edited, what it becomes, what the generator says of it.
CHANGES = {
    "type of a column": (
        "{name: created_at, type: DateTime}",
        "{name: created_at, type: i64}",
        [
            moved(f"{layout}, {SINKS_COLUMN} `created_at`", "`DateTime(DateTime)`", "`i64(i64)`")
            for layout in (OLD, MID, NEW)
        ],
    ),
    "state of a type": (
        "{integer: i32, until: 1.1.0}",
        "{integer: i16, until: 1.1.0}",
        [
            moved(f"{layout}, {SINKS_COLUMN} `sink_id`", sink_id("i32"), sink_id("i16"))
            for layout in (OLD, MID)
        ],
    ),
    "flag of a column": (
        TARGET,
        TARGET.replace(", nullable: true", ""),
        [
            moved(f"{layout}, {SINKS_COLUMN} `target`", "`i32(i32)!nullable`", "`i32(i32)`")
            for layout in (OLD, MID)
        ],
    ),
    "dropped column": (
        f"    - {ENABLED}\n",
        "",
        [moved(f"{MID}, outside refresh_job, column `enabled`", "`bool(bool)`", "nothing")],
    ),
    "added column": (
        ENABLED,
        f"{ENABLED}\n    - {{name: more, type: String, nullable: true, since: 2.0.0}}",
        [moved(f"{NEW}, {JOBS_COLUMN} `more`", "nothing", "`String(String)!nullable`")],
    ),
    "until of a column": (
        ENABLED,
        ENABLED.replace("1.1.0", "2.0.0"),
        [moved(f"{NEW}, {JOBS_COLUMN} `enabled`", "nothing", "`bool(bool)`")],
    ),
    "order of columns": (
        f"{PROPERTIES}{COLUMNS}",
        f"{COLUMNS}{PROPERTIES}",
        [
            f"{layout}, section sinks: the order of its columns changed"
            for layout in (OLD, MID, NEW)
        ],
    ),
    "order of sections": (
        f"{SINKS}\n- {REFRESH_JOBS}",
        f"{REFRESH_JOBS}\n- {SINKS}",
        [f"{NEW}: the order of its sections changed"],
    ),
    "removed enum member": (
        "  - {json: Retract, db: RETRACT, since: 1.1.0}\n",
        "",
        [
            moved(f"{MID}, {SINKS_COLUMN} `sink_type`", enum(A, F, U, R), enum(A, F, U)),
            moved(f"{NEW}, {SINKS_COLUMN} `sink_type`", enum(A, U, R), enum(A, U)),
        ],
    ),
    "until of an enum member": (
        "db: FORCE_APPEND_ONLY, until: 1.1.0",
        "db: FORCE_APPEND_ONLY, until: 2.0.0",
        [moved(f"{NEW}, {SINKS_COLUMN} `sink_type`", enum(A, U, R), enum(A, F, U, R))],
    ),
    "reason of an exclusion": (
        "{table: election, reason: runtime}",
        "{table: election, reason: dead}",
        [
            moved(f"{layout}, excluded election", "`runtime`", "`dead`")
            for layout in (OLD, MID, NEW)
        ],
    ),
    "form of hummock_version": (
        "{form: json, until: 1.1.0}\n- {form: protobuf, since: 2.0.0}",
        "{form: json}",
        [moved(f"{NEW}, hummock_version", "`protobuf`", "`json`")],
    ),
    "era of a layout": (
        "{layout: 2.0.0, era: v2,",
        "{layout: 2.0.0, era: v1,",
        [moved(f"{NEW}, era", "`v2`", "`v1`")],
    ),
    "migration that left too late": (
        "m0002_legacy, until: 1.1.0",
        "m0002_legacy",
        [
            moved(
                "release 2.0.0 differs",
                "`layout=2.0.0; migrations=4:8cae407dc5cdd17a`",
                "`layout=2.0.0; migrations=5:c9a754acdd035f64`",
            )
        ],
    ),
}


@pytest.mark.parametrize(("old", "new", "texts"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_what_was_released_is_refused(
    edit: Callable[..., int],
    run: Callable[..., CompletedProcess[str]],
    out: Path,
    old: str,
    new: str,
    texts: list[str],
) -> None:
    """A change is exit code 1, names layout, section and column, and nothing is generated."""
    edit(old, new)
    for arguments in ([], ["--check"], ["--freeze"]):
        outcome = run(*arguments)
        expected = [*(f"error: frozen: {text}" for text in texts), HINT]
        assert expected == outcome.stderr.splitlines()
        assert (outcome.returncode, outcome.stdout) == (1, "")
    assert not out.exists()


def test_a_table_that_was_renamed_is_refused(
    edit: Callable[..., int], run: Callable[..., CompletedProcess[str]]
) -> None:
    """A model cannot be of another table than in its release; the layouts say so."""
    edit("table: refresh_jobs\n", "table: jobs\n")
    edit("{table: refresh_jobs, since", "{table: jobs, since")
    outcome = run()
    texts = [
        moved(f"{MID}, table refresh_job", "`refresh_jobs`", "`jobs`"),
        moved(f"{MID}, excluded refresh_jobs", "`missed`", "nothing"),
        moved(f"{MID}, excluded jobs", "nothing", "`missed`"),
        moved(f"{NEW}, table refresh_job", "`refresh_jobs`", "`jobs`"),
    ]
    assert [*(f"error: frozen: {text}" for text in texts), HINT] == outcome.stderr.splitlines()
    assert outcome.returncode == 1


def test_a_section_that_left_is_refused(
    edit: Callable[..., int], run: Callable[..., CompletedProcess[str]]
) -> None:
    """A section that a released layout has cannot become an excluded table of it."""
    edit(f"- {REFRESH_JOBS}\n", "")
    edit("- refresh_jobs\n", "")
    edit("since: 1.1.0, until: 1.1.0, reason", "since: 1.1.0, reason")
    outcome = run()
    texts = [
        moved(f"{NEW}, section refresh_jobs", "`refresh_job@2.0.0`", "nothing"),
        moved(f"{NEW}, outside refresh_job", "nothing", "`refresh_job@2.0.0`"),
        moved(f"{NEW}, excluded refresh_jobs", "nothing", "`missed`"),
    ]
    assert [*(f"error: frozen: {text}" for text in texts), HINT] == outcome.stderr.splitlines()
    assert outcome.returncode == 1


def test_a_layout_that_went_is_refused(
    edit: Callable[..., int], run: Callable[..., CompletedProcess[str]]
) -> None:
    """A released layout cannot be taken out of the registry, nor its releases."""
    edit(
        "{layout: 1.0.0, era: v1, releases: [1.0.0, 1.0.1]}",
        "{layout: 1.0, era: v1, releases: [1.0]}",
    )
    edit("m0003_patch, since: 1.0.1", "m0003_patch, since: 1.1.0")
    outcome = run()
    errors = outcome.stderr.splitlines()
    assert errors[0] == "error: frozen: layout `1.0.0` is frozen and gone"
    assert [line.partition(": frozen `")[0] for line in errors[1:-1]] == [
        "error: frozen: release 1.0.0 is gone",
        "error: frozen: release 1.0.1 is gone",
    ]
    assert outcome.returncode == 1


def test_an_edited_line_is_refused(
    toy: Path,
    edit: Callable[..., int],
    run: Callable[..., CompletedProcess[str]],
) -> None:
    """A line of frozen.txt that does not fit its digest is named, and what it says differently."""
    line = edit(
        "secret_ref:SecretRef@1.0.0!nullable created_at:DateTime\ntype", "x:i32\ntype", "frozen.txt"
    )
    outcome = run()
    errors = outcome.stderr.splitlines()
    shape = f"error: frozen: {toy / 'frozen.txt'}:{line}: the line of shape sink@1.1.0"
    assert errors[0] == f"{shape} was edited by hand"
    assert (
        f"error: frozen: {MID}, section sinks, column `x`: frozen `i32(i32)`, now nothing" in errors
    )
    assert errors[-1] == EDITED
    assert outcome.returncode == 1


def test_a_digest_that_was_edited_is_refused(
    toy: Path,
    edit: Callable[..., int],
    run: Callable[..., CompletedProcess[str]],
) -> None:
    """A line with another digest is an edited line, though its text is right."""
    line = edit("6bee0c19ad4092d2", "6bee0c19ad4092d3", "frozen.txt")
    outcome = run()
    text = f"{toy / 'frozen.txt'}:{line}: the line of type SinkId@1.0.0 was edited by hand"
    assert outcome.stderr.splitlines() == [f"error: frozen: {text}", EDITED]
    assert outcome.returncode == 1


def test_what_is_frozen_is_what_the_registry_says(toy: Path, expanded: History) -> None:
    """The lines of the toy registry are those of its frozen.txt, in their order."""
    lines = (toy / "frozen.txt").read_text().splitlines()
    assert frozen.lines(expanded) == [line for line in lines if not line.startswith("#")]
    parsed, edits = frozen.parse("\n".join(lines), "frozen.txt")
    assert edits == []
    assert frozen.changes(parsed, expanded) == []
    assert frozen.unfrozen(parsed, expanded) == []


def test_a_line_that_lacks_is_unfrozen(expanded: History) -> None:
    """What frozen.txt does not say yet is what is to be appended."""
    lines = frozen.lines(expanded)
    parsed, _ = frozen.parse("\n".join(lines[:-3]), "frozen.txt")
    assert lines[-3:] == frozen.unfrozen(parsed, expanded)


@pytest.mark.parametrize(
    ("after", "changes"),
    [
        ("a 1 x\nb 2 y\n", []),
        ("a 1 x\nb 2 y\nc 3 z\n", []),
        ("a 1 x\nb 2 z\n", ["line 2 (b 2) changed or vanished"]),
        ("a 1 x\n", ["line 2 (b 2) changed or vanished"]),
        (
            "b 2 y\na 1 x\n",
            ["line 1 (a 1) changed or vanished", "line 2 (b 2) changed or vanished"],
        ),
    ],
    ids=["same", "appended", "changed", "dropped", "moved"],
)
def test_an_earlier_file_is_the_head_of_a_later_one(after: str, changes: list[str]) -> None:
    """Lines may be appended; one that changed, went or moved is named."""
    assert [Change(text) for text in changes] == frozen.rewritten("a 1 x\nb 2 y\n", after)


def test_a_layout_may_come_in_between(toy: Path, run: Callable[..., CompletedProcess[str]]) -> None:
    """A branch that has all as the layout after it first had it is now the first to have that; the
    later layout's shapes and types get its name, and no layout changes.
    """
    text = (toy / "models.yaml").read_text()
    head, layouts, rest = text.partition("- {layout: 2.0.0, era: v2, releases: [2.0.0]}\n")
    new = "- {layout: 1.2.0, era: v2, releases: [1.2.0]}\n"
    (toy / "models.yaml").write_text(head + new + layouts + rest.replace(": 2.0.0", ": 1.2.0"))
    outcome = run()
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert run("--freeze").returncode == 0
    assert "layout 1.2.0 " in (toy / "frozen.txt").read_text()
    assert run("--check").returncode == 0
