"""An interrupt while a mount is entered or left leaves the old state or the new one."""

from __future__ import annotations

import pytest

from tests.support.interrupted_mounts import INTERRUPTED
from tests.support.programs import PROJECT, started


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", INTERRUPTED)
def test_the_state_is_the_old_one_or_the_new_one(name: str) -> None:
    with started(PROJECT, "-m", "tests.support.interrupted_mounts", name) as process:
        try:
            output, errors = process.communicate(timeout=280)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert output == "done\n"
