"""Settings for the test suite of Django itself: see CONTRIBUTING.md."""

from test_sqlite import *  # noqa: F403

DATABASES = {
    # As its tests expect it, transactions begin by BEGIN alone.
    alias: {
        "ENGINE": "dmemfs_sqlite.django",
        "NAME": alias,
        "OPTIONS": {"transaction_mode": None},
    }
    for alias in ("default", "other")
}
