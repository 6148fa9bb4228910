"""Work that starts at the same moment in several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor


def in_parallel(count, work):
    """Runs work(index) in `count` threads that start together; their results in order."""
    gate = threading.Barrier(count)

    def run(index):
        gate.wait(timeout=10)
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


class Background:
    """Threads that repeat `step(index)` until the block ends; what they raise is raised there."""

    def __init__(self, count, step):
        self._stop = threading.Event()
        self._errors = []
        self._threads = [threading.Thread(target=self._run, args=(step, index)) for index in range(count)]

    def _run(self, step, index):
        try:
            while not self._stop.is_set():
                step(index)
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread
            self._errors.append(error)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def __exit__(self, kind, *_):
        self.stop()
        if self._errors and kind is None:
            raise self._errors[0]
