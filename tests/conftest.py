"""How Hypothesis searches: `ci` for every day, `--hypothesis-profile=thorough` for a night."""

import os

from hypothesis import HealthCheck, Phase, settings

# Deadlines measure the machine, not the code; whole logs are large examples that take their time.
UNHURRIED = {
    "deadline": None,
    "phases": (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}

settings.register_profile("ci", max_examples=60, print_blob=True, **UNHURRIED)
settings.register_profile("thorough", max_examples=2_000, print_blob=True, **UNHURRIED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
