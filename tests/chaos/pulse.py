"""How late this process itself runs: on a machine that is busy with other things, deadlines must wait as well."""

import bisect
import threading
import time

STEP = 0.05
NOTABLE = 20_000_000  # ns


class Pulse(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True, name="pulse")
        self._times, self._sums = [0], [0]
        self.worst = 0.0
        self.over = threading.Event()

    def run(self):
        before = time.monotonic_ns()
        while not self.over.is_set():
            time.sleep(STEP)
            at = time.monotonic_ns()
            late = at - before - int(STEP * 1e9)
            before = at
            if late > NOTABLE:
                self._times.append(at)  # first: others look for as many as there are sums
                self._sums.append(self._sums[-1] + late)
                self.worst = max(self.worst, late / 1e9)

    def late(self, begun, done):
        """Seconds of this span (ns) during which the process did not run though it wanted to."""
        first = bisect.bisect_left(self._times, begun)
        last = bisect.bisect_right(self._times, done + 1_000_000_000, 0, len(self._sums))
        return (self._sums[last - 1] - self._sums[max(first - 1, 0)]) / 1e9 if last > first else 0.0

    def bound(self, base, begun, done):
        """`base` seconds on an idle machine. What waits for this process waits for the servers on it as well."""
        return base + 4 * self.late(begun, done)

    def allowance(self, base):
        """The same for something that took as long as the worst stall."""
        return base + 4 * self.worst
