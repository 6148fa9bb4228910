"""Conditions with a deadline: the only kind of waiting these tests do."""

import time


def until(condition, what, timeout=10.0, every=0.05):
    """Polls `condition` until it returns something true; fails with `what` otherwise. Exceptions of the last try are shown."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            last = value
            if value:
                return value
        except (OSError, AssertionError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what} (last: {last!r})")
        time.sleep(every)
