"""Describe this machine and the versions of everything that is measured, for the head of a table of figures.

python bench/machine.py --dvc PEERS/dvc/bin/dvc
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys

from measure import parser, peer


def processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    return found[1] if found else platform.machine()


def file_system(folder: str) -> str:
    """Type and options of the file system `folder` is on, as `findmnt` tells them."""
    command = ["findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", "--target", folder]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=False).stdout.split())


def version(*command: str) -> str:
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return (done.stdout or done.stderr).strip().splitlines()[0]


def describe(work: str | None, tools: dict[str, str | None]) -> str:
    """A few lines of Markdown."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"Python {platform.python_version()}", version("git").replace("git version", "git")]
    versions += [f"{name} {version(path).removeprefix(name).strip()}" for name, path in tools.items() if path]
    return "\n".join(
        [
            f"- {os.cpu_count()} cores ({processor()}), {memory:.0f} GiB, {platform.system()} {platform.release()}",
            f"- {file_system(work or '.')}",
            f"- {', '.join(filter(None, versions))}",
        ]
    )


def main() -> int:
    options = parser(__doc__, 1)
    for name in ("dvc", "snakemake", "git-lfs"):
        peer(options, name)
    args = options.parse_args()
    tools = {"axil": args.axil, "dvc": args.dvc, "snakemake": args.snakemake, "git-lfs": args.git_lfs}
    print(describe(args.work, tools))
    return 0


if __name__ == "__main__":
    sys.exit(main())
