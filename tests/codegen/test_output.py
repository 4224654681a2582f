from __future__ import annotations

from pathlib import Path

from metasnapshot_codegen import output


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    """A file that says the same already is left alone; folders come into being."""
    files = {"package/same.py": "1\n", "package/other.py": "2\n", "tests/new.py": "3\n"}
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "same.py").write_text("1\n")
    (tmp_path / "package" / "other.py").write_text("0\n")
    assert output.write(files, tmp_path) == ["package/other.py", "tests/new.py"]
    assert files == {name: (tmp_path / name).read_text() for name in files}
    assert output.write(files, tmp_path) == []


def test_a_diff_leads_from_the_disk_to_what_should_be(tmp_path: Path) -> None:
    """A line that stands on the disk goes, a line that should stand there comes."""
    (tmp_path / "a.py").write_text("1\n2\n3\n")
    assert output.diff({"a.py": "1\ntwo\n3\n"}, tmp_path) == (
        "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"
    )


def test_a_missing_file_differs_from_nothing(tmp_path: Path) -> None:
    """The diff of a file that is not there begins at /dev/null."""
    assert output.diff({"a.py": "1\n"}, tmp_path) == (
        "--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+1\n"
    )


def test_equal_files_have_no_diff(tmp_path: Path) -> None:
    """What was just written does not differ."""
    output.write({"a.py": "1\n"}, tmp_path)
    assert output.diff({"a.py": "1\n"}, tmp_path) == ""
