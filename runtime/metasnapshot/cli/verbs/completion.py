"""Set up: print a completion script for a shell."""

from __future__ import annotations

from typing import Literal

from metasnapshot.cli.commands import build
from metasnapshot.cli.text import say_page

Shell = Literal["bash", "zsh", "fish"]


def completion(shell: Shell, /) -> int:
    """Print a completion script for a shell.

    $ metasnapshot completion bash > /etc/bash_completion.d/metasnapshot
    """
    say_page(build(None).generate_completion(shell=shell))
    return 0
