#!/usr/bin/env python3
"""One throw-away PostgreSQL cluster for the tests: `cluster.py start PLACE` and `cluster.py stop PLACE`.

PLACE is a file that names the cluster's folder, which is also the folder of its unix socket; there is no TCP port. PostgreSQL
does not run as root, so root drops to user postgres. What a killed run left behind is cleaned by the next start.
"""
import glob
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile

PREFIX = "belfry-pg-"
SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "200",
    "shared_buffers": "'64MB'",
    "fsync": "off",  # the machine may crash: these are tests
    "full_page_writes": "off",
    "synchronous_commit": "on",  # but COMMIT means what it means in production
    "autovacuum_naptime": "'10s'",
    "log_min_messages": "warning",
    "timezone": "'Asia/Kathmandu'",  # odd on purpose: nothing may depend on the server's zone
}


def binaries() -> pathlib.Path:
    chosen = os.environ.get("BELFRY_PG_BINDIR")
    if chosen:
        return pathlib.Path(chosen)
    installed = glob.glob("/usr/lib/postgresql/*/bin")
    if installed:
        return pathlib.Path(max(installed, key=lambda path: int(path.split("/")[4])))
    found = shutil.which("initdb")
    if not found:
        sys.exit("no PostgreSQL found: install postgresql-15 or set BELFRY_PG_BINDIR")
    return pathlib.Path(found).parent


def run(program: str, *arguments: str, check: bool = True) -> None:
    command = [str(binaries() / program), *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
    done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"})
    if check and done.returncode != 0:
        sys.exit(f"{program} failed:\n{done.stdout}")


def remove(folder: pathlib.Path) -> None:
    """Ends the server in `folder`, if one runs, and removes what it wrote. Touches only what `start` made."""
    if folder.name.startswith(PREFIX) and folder.parent == pathlib.Path(tempfile.gettempdir()):
        if (folder / "data" / "postmaster.pid").exists():
            run("pg_ctl", "stop", "-D", str(folder / "data"), "-m", "immediate", "-w", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def stop(place: pathlib.Path) -> None:
    if place.exists():
        remove(pathlib.Path(place.read_text().strip()))
        place.unlink()


def clean_orphans(place: pathlib.Path) -> None:
    """Binaries started by hand have places of their own, `<place>.<pid>`: ends those whose process is gone."""
    for orphan in place.parent.glob(f"{place.name.split('.')[0]}.*"):
        pid = orphan.suffix[1:]
        if orphan != place and pid.isdigit() and not pathlib.Path(f"/proc/{pid}").exists():
            stop(orphan)


def start(place: pathlib.Path) -> None:
    stop(place)
    clean_orphans(place)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))  # mode 0700
    place.write_text(f"{folder}\n")
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
    with open(folder / "data" / "postgresql.auto.conf", "a") as settings:
        settings.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())
        settings.write(f"unix_socket_directories = '{folder}'\n")
    run("pg_ctl", "start", "-D", data, "-l", str(folder / "log"), "-w", "-t", "60")
    print(folder)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit(__doc__)
    {"start": start, "stop": stop}[sys.argv[1]](pathlib.Path(sys.argv[2]))
