"""What all tests share."""

from hypothesis import HealthCheck, settings

# No deadline: how long a test takes on a busy machine proves nothing.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
