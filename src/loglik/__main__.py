"""``python -m loglik`` is ``loglik``."""

import sys

from loglik.cli import main

sys.exit(main())
