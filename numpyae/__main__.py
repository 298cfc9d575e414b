"""`python -m numpyae`: the command line."""

import sys

from numpyae.cli import main

sys.exit(main())
