from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from syrupy.assertion import SnapshotAssertion

from metasnapshot_codegen import history, output, parse, render
from metasnapshot_codegen.messages import Messages
from metasnapshot_codegen.render import HEADER

FILES = [
    "tests/test_coverage.py",
    "toy_models/__init__.py",
    "toy_models/codecs.py",
    "toy_models/column_types.py",
    "toy_models/definitions.py",
    "toy_models/enums.py",
    "toy_models/layouts.py",
    "toy_models/lifespans.py",
    "toy_models/messages.py",
    "toy_models/models.py",
]


@pytest.fixture
def package(
    rendered: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, ModuleType]]:
    """The modules of the generated package, imported under its own name."""
    output.write(rendered, tmp_path / "imported")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "imported"), *sys.path])
    importlib.invalidate_caches()
    names = [Path(name).stem for name in FILES if name.startswith("toy_models/")]
    yield {name: importlib.import_module(f"toy_models.{name}") for name in names[1:]}
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_models"]:
        del sys.modules[name]


def test_every_file_is_rendered(rendered: dict[str, str]) -> None:
    """The package is named by the registry; the coverage test comes with it."""
    assert sorted(rendered) == FILES


@pytest.mark.parametrize("name", FILES, ids=lambda name: Path(name).stem)
def test_golden(rendered: dict[str, str], name: str, text_snapshot: SnapshotAssertion) -> None:
    """A generated file of the toy registry is what it was, to the byte."""
    assert text_snapshot == rendered[name]


@pytest.mark.parametrize("name", FILES, ids=lambda name: Path(name).stem)
def test_every_file_says_where_it_comes_from(rendered: dict[str, str], name: str) -> None:
    """A generated file opens with the header, holds a docstring and ends with one newline."""
    source = {"messages": "messages"}.get(Path(name).stem, "models")
    assert rendered[name].startswith(HEADER.format(source=source))
    assert ast.get_docstring(ast.parse(rendered[name]))
    assert rendered[name].endswith("\n")
    assert not rendered[name].endswith("\n\n")


def test_rendering_is_repeatable(rendered: dict[str, str], toy: Path) -> None:
    """Two processes with other hash seeds render the same text."""
    script = "import sys; from metasnapshot_codegen.cli import main; sys.exit(main(sys.argv[1:]))"
    for seed in ("1", "2"):
        out = toy.parent / seed
        command = [sys.executable, "-c", script, "--schema", str(toy), "--out", str(out)]
        seeded = {"PYTHONHASHSEED": seed}
        subprocess.run(command, env=seeded, capture_output=True, check=True)
        assert rendered == {name: (out / name).read_text() for name in FILES}


def test_the_output_is_in_ruffs_format(
    rendered: dict[str, str], tmp_path: Path, repo_root: Path
) -> None:
    """Generated files need no formatter: long calls are broken, short ones are not."""
    output.write(rendered, tmp_path / "formatted")
    config = repo_root / "pyproject.toml"
    command = [sys.executable, "-m", "ruff", "format", "--diff", "--no-cache"]
    command += ["--config", str(config), str(tmp_path / "formatted")]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.stdout == ""
    assert outcome.returncode == 0


def test_the_package_imports(package: dict[str, ModuleType]) -> None:
    """The generated modules are Python, and they agree with each other."""
    codecs, models, layouts = package["codecs"], package["models"], package["layouts"]
    assert {name: codec.model for name, codec in codecs.CODECS.items()} == {
        "sink": models.Sink,
        "refresh_job": models.RefreshJob,
    }
    for layout in layouts.LAYOUTS.values():
        for model, since in layout.shapes.items():
            assert codecs.CODECS[model].shapes[since].name == f"{model}@{since}"


def test_a_model_has_every_column_it_ever_had(package: dict[str, ModuleType]) -> None:
    """A model is the union of all shapes; a column that stands twice is there once."""
    codec = package["codecs"].CODECS["sink"]
    union = {column.name for shape in codec.shapes.values() for column in shape.columns}
    names = [
        "sink_id",
        "name",
        "definition",
        "sink_type",
        "target",
        "properties",
        "columns",
        "secret_ref",
        "created_at",
    ]
    assert list(codec.model.__struct_fields__) == names
    assert set(names) == union


def test_a_column_that_was_nullable_may_be_null(
    toy: Path, toy_messages: Messages, edit: Callable[..., int]
) -> None:
    """A model takes the NULL of an older layout, though a later one has none."""
    edit("TableId, nullable: true", "TableId")
    registry = parse.read(toy / "models.yaml")
    files = render.render(registry, history.expand(registry), toy_messages)
    assert "    target: int | None\n" in files["toy_models/models.py"]


def test_a_registry_without_enums_is_python(
    toy: Path, toy_messages: Messages, edit: Callable[..., int]
) -> None:
    """With `enums: {}` every file is Python, and no model imports an enum."""
    text = (toy / "models.yaml").read_text()
    before, _, rest = text.partition("enums:\n")
    after = rest[rest.index("excluded:") :]
    (toy / "models.yaml").write_text(f"{before}enums: {{}}\n\n{after}")
    edit("type: SinkType", "type: String")
    registry = parse.read(toy / "models.yaml")
    files = render.render(registry, history.expand(registry), toy_messages)
    modules = {name: ast.parse(text) for name, text in files.items()}
    assert sorted(modules) == FILES
    imported = [
        node.module
        for node in ast.walk(modules["toy_models/models.py"])
        if isinstance(node, ast.ImportFrom)
    ]
    assert "toy_models.enums" not in imported
    assert "metasnapshot.format.scalars" in imported


def test_a_release_knows_its_migrations(package: dict[str, ModuleType]) -> None:
    """Two releases of one layout may have two sets of migrations."""
    releases = package["layouts"].RELEASES
    assert releases["1.0.1"].layout == "1.0.0"
    assert releases["1.0.1"].migrations - releases["1.0.0"].migrations == {"m0003_patch"}


def test_an_enum_is_its_name_in_a_row(package: dict[str, ModuleType]) -> None:
    """Members have the JSON name as value, over all layouts."""
    members = {member.name: member.value for member in package["enums"].SinkType}
    assert members == {
        "APPEND_ONLY": "AppendOnly",
        "FORCE_APPEND_ONLY": "ForceAppendOnly",
        "UPSERT": "Upsert",
        "RETRACT": "Retract",
    }
