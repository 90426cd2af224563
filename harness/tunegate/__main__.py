"""`python -m tunegate`."""

import sys

from .cli.main import main

sys.exit(main())
