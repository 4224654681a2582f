"""`python -m metasnapshot` is the command `metasnapshot`."""

import sys

from metasnapshot.cli.app import main

sys.exit(main())
