"""The wheel, as a user has it: alone in a fresh environment, with what it asks for and no more."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from subprocess import CompletedProcess

import fresh_venv
import library_examples
import pytest
from fresh_venv import ROOT

import metasnapshot

README = (ROOT / "README.md").read_text(encoding="utf-8")
SOUND = '''"""What a program of somebody else does, with types."""

from pathlib import Path

import metasnapshot
from metasnapshot.errors import MetasnapshotError


def newest(url: str) -> int | None:
    backups = metasnapshot.Backups(url, context=metasnapshot.Context(file_mode=0o640))
    try:
        made = metasnapshot.backup(metasnapshot.MetaStore("sqlite:///meta.db"), backups)
        sizes: dict[int, int | None] = {item.entry.id: item.size for item in backups.list()}
        written = sum(metasnapshot.export(backups, "latest", Path("rows.jsonl")).rows.values())
        whole: metasnapshot.MetaSnapshot = metasnapshot.loads(metasnapshot.dumps(backups.get(1)))
    except MetasnapshotError as error:
        code: int = error.exit_code
        print(code, error.hint)
        return None
    print(sizes, written, whole)
    return made.entry.id
'''
WRONG = """import metasnapshot

metasnapshot.Backups(7)
metasnapshot.MetaStore("sqlite:///meta.db").no_such_method()
metasnapshot.bakcup
name: str = metasnapshot.epoch_ms(1)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh_venv.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands of the fresh environment are."""
    return fresh_venv.install(wheel, tmp_path_factory.mktemp("fresh") / "venv")


def run(folder: Path, *command: str | Path) -> CompletedProcess[str]:
    """In a folder, so that nothing of the checkout is found by being there."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_an_install_without_a_network(wheel: Path, tmp_path: Path) -> None:
    """The commands of README.md fill a directory with wheels in the versions of the lock, and
    install from it where no index answers. What was installed makes a backup.
    """
    (tmp_path / "dist").mkdir()
    shutil.copy(wheel, tmp_path / "dist")
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    section = README.partition("\nFor a machine without a network")[2]
    near, far = re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[:2]
    assert [block.count("metasnapshot[postgres,objects]") for block in (near, far)] == [0, 1]
    near = near.removeprefix("make release\n").replace("python3", sys.executable)
    fetched = run(tmp_path, "bash", "-ec", near.replace("[postgres,objects]", ""))
    assert fetched.returncode == 0, fetched.stderr
    wheels = [path.name.lower().split("-") for path in (tmp_path / "wheelhouse").iterdir()]
    constraints = (tmp_path / "constraints.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==([^ ;\n]+)", constraints, re.MULTILINE)
    pinned = {(name.replace("-", "_").lower(), version) for name, version in pins}
    others = {parts[0]: parts[1] for parts in wheels}
    assert others.pop("metasnapshot") == metasnapshot.__version__
    assert others
    assert set(others.items()) - pinned == set()
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "wheelhouse").rename(away / "wheelhouse")
    far = far.replace("python3", sys.executable).replace("[postgres,objects]", "")
    alone = {"PATH": os.environ["PATH"], "HOME": str(away), "PIP_CONFIG_FILE": os.devnull}
    words = ["bash", "-ec", far]
    done = subprocess.run(words, cwd=away, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    back_up(away / "venv/bin/metasnapshot", away)


def test_the_wheel_has_all_files(wheel: Path) -> None:
    """Every file of the three packages is in it: types, schemas and templates too."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    rooms = (
        "runtime/metasnapshot",
        "generated/metasnapshot_models",
        "codegen/metasnapshot_codegen",
    )
    expected = {
        str(path.relative_to((ROOT / room).parent))
        for room in rooms
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {f"{Path(room).name}/py.typed" for room in rooms} <= expected
    assert "metasnapshot/schemas/backup.json" in expected
    assert names == expected


def test_the_command_starts(commands: Path, tmp_path: Path) -> None:
    """It prints its help and its version, which is the wheel's."""
    shown = run(tmp_path, commands / "metasnapshot", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "restore" in shown.stdout
    said = run(tmp_path, commands / "metasnapshot", "--version")
    assert (said.returncode, said.stdout.strip()) == (0, metasnapshot.__version__)


def back_up(command: Path, folder: Path) -> None:
    """Back a meta store up with a command, and find each row of the snapshot sound."""
    library_examples.lay_out(folder)
    where = ("--backup-storage-url", "fs://backups", "--json")
    made = run(folder, command, "backup", "--meta-store", "sqlite:///meta.db", *where)
    assert made.returncode == 0, made.stderr
    assert sum(json.loads(made.stdout)["rows"].values()) > 100
    found = run(folder, command, "verify", "latest", *where)
    assert found.returncode == 0, found.stderr


def test_a_backup(commands: Path, tmp_path: Path) -> None:
    """A meta store is backed up and each row of the snapshot is found sound."""
    back_up(commands / "metasnapshot", tmp_path)


def test_the_examples_run(commands: Path, tmp_path: Path) -> None:
    """Those of docs/library.md, with the installed package, and nothing of the command loaded."""
    lines = library_examples.run(commands / "python", library_examples.lay_out(tmp_path))
    assert "loaded:" in lines
    (place,) = [line for line in lines if line.startswith("of: ")]
    assert place.startswith(f"of: {commands.parent}/lib/")


def test_the_generator_names_its_extra(commands: Path, tmp_path: Path) -> None:
    """The wheel without extras has the command, which says what to install; it is a usage error."""
    told = run(tmp_path, commands / "metasnapshot-codegen", "--check")
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.splitlines()[1:] == ["hint: pip install 'metasnapshot[codegen]'"]


def test_types_are_seen_from_outside(commands: Path, tmp_path: Path) -> None:
    """A strict checker knows every type in another's program, and each of its mistakes."""
    (tmp_path / "sound.py").write_text(SOUND, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
    checker = Path(sys.executable).with_name("basedpyright")
    looked = run(tmp_path, checker, "--pythonpath", commands / "python", "--outputjson")
    told = json.loads(looked.stdout)["generalDiagnostics"]
    found = {(Path(item["file"]).name, item["range"]["start"]["line"] + 1) for item in told}
    assert found == {("wrong.py", line) for line in (3, 4, 5, 6)}, told
