"""Which core does what, what a process used, how long a measurement may take, and what this machine is."""
import contextlib
import json
import os
import pathlib
import platform
import select
import signal
import subprocess
import time

SERVER_CORE, LOAD_CORE = "0", "1"
GRACE_SECONDS = 15


class Failed(Exception):
    """A measurement that cannot be used; the message says why."""


class TimeLimit(Exception):
    pass


@contextlib.contextmanager
def time_limit(seconds):
    """Raises TimeLimit in what runs below; of the main thread only, and not nested."""
    def stop_here(*_):
        raise TimeLimit(f"not done after {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop_here)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def cpu_us(pid):
    """User and system time of all threads of a process, by the kernel's nanosecond clock."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1000


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def build(preset, *targets):
    """Builds what is out of date; the folder."""
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = root / "build" / preset
    if not (folder / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", preset], cwd=root, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(folder), "--target", *targets], check=True, stdout=subprocess.DEVNULL)
    return folder


def on_core(core, command):
    return ["taskset", "-c", core, *map(str, command)]


def read_port(process, seconds=30):
    """What our own small servers print first: {"port": N}."""
    if not select.select([process.stdout], [], [], seconds)[0]:
        raise Failed(f"{process.args} did not say its port")
    line = process.stdout.readline()
    if not line:
        raise Failed(f"{process.args} ended at once")
    return json.loads(line)["port"]


def stop(process):
    """TERM, then KILL; only what was started here."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(GRACE_SECONDS)
    if process.stdout:
        process.stdout.close()


def others_busy():
    """Share of both cores used in half a second in which we do nothing: says whether figures can be trusted."""
    def ticks():
        with open("/proc/stat") as file:
            fields = list(map(int, file.readline().split()[1:9]))
        return sum(fields), fields[3] + fields[4]

    before_all, before_idle = ticks()
    time.sleep(0.5)
    after_all, after_idle = ticks()
    return 1 - (after_idle - before_idle) / max(1, after_all - before_all)


def describe():
    def first(path, key):
        try:
            with open(path) as file:
                return next(line.split(":", 1)[1].strip() for line in file if line.startswith(key))
        except (OSError, StopIteration):
            return "unknown"

    return {"cpu": first("/proc/cpuinfo", "model name"), "cores": os.cpu_count(), "kernel": platform.release(),
            "system": platform.platform()}
