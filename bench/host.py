"""A record of the machine, the project and the libraries, for the raw results."""

import hashlib
import os
import pathlib
import platform
import subprocess
import time


def _output(*command, where=None):
    """What a command prints; empty when it cannot be run."""
    try:
        return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _content(path):
    """The content of a file, empty when there is none."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _value(text, key):
    """The value of the first line `key : value`."""
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() == key:
            return value.strip()
    return ""


def available_mib():
    """Memory that programs may use without swapping."""
    return int(_value(_content("/proc/meminfo"), "MemAvailable").split()[0]) // 1024


def record(root):
    """What a reader needs to judge or repeat the run. `root` is the project's folder."""
    processors = _content("/proc/cpuinfo")
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "commit": _output("git", "rev-parse", "--verify", "--quiet", "HEAD", where=root),
        "uncommitted_changes": bool(_output("git", "status", "--porcelain", where=root)),
        "processor": _value(processors, "model name") or platform.machine(),
        "processors_allowed": sorted(os.sched_getaffinity(0)),
        "memory": _value(_content("/proc/meminfo"), "MemTotal"),
        "swap": _value(_content("/proc/meminfo"), "SwapTotal"),
        "kernel": platform.release(),
        "system": _value(_content("/etc/os-release").replace("=", ":"), "PRETTY_NAME").strip('"'),
        "libc": " ".join(platform.libc_ver()),
        "compiler": _output("gcc", "--version").partition("\n")[0],
        "transparent_huge_pages": _content("/sys/kernel/mm/transparent_hugepage/enabled"),
        "overcommit": _content("/proc/sys/vm/overcommit_memory"),
        "governor": _content("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_at_start": os.getloadavg(),
        "stolen_ticks_at_start": stolen_ticks(),
    }


def stolen_ticks():
    """Clock ticks that the hypervisor took from this machine since it started."""
    fields = _content("/proc/stat").partition("\n")[0].split()
    return int(fields[8]) if len(fields) > 8 else 0


def digest(path):
    """The SHA-256 of a file's content; "missing" when there is no such file."""
    try:
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    except OSError:
        return "missing"


def describe_library(path):
    """Which file it is, and which Debian package it came from; all None for the libc that programs are linked with."""
    if path is None:
        return {"path": None, "sha256": None, "package": _output("dpkg-query", "-W", "libc6")}
    real = pathlib.Path(path).resolve()
    owner = ""
    for candidate in (str(real), str(real).removeprefix("/usr")):  # Debian 12 lists some files by their old path
        owner = owner or _output("dpkg-query", "-S", candidate).partition(": ")[0]
    package = _output("dpkg-query", "-W", owner) if owner else ""
    return {"path": str(real), "sha256": digest(real), "package": package}
