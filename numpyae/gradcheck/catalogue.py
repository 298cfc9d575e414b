"""The name that `common_bugs` had: what was written with it still runs."""

from numpyae.gradcheck.common_bugs import *              # noqa: F403
