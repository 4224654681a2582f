from __future__ import annotations

import pytest
from shell import BACKUPS, STORE, Shell


@pytest.fixture
def backed_up(shell: Shell) -> Shell:
    """The command in the directory of `cluster`, where there is one backup, 9."""
    assert shell.run("backup", *STORE, *BACKUPS).code == 0
    return shell
