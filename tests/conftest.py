from __future__ import annotations

from hypothesis import HealthCheck, settings

# A loaded machine is slow, not wrong.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
