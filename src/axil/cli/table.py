"""The list of commands: what `axil help` prints and which module each name loads. Importing it loads no command."""

from __future__ import annotations

from axil.base.light import NamedTuple

PACKAGE = "axil.cli.commands"


class Command(NamedTuple):
    """One command: `module` (below `axil.cli.commands`) has `configure(parser)` and `run(args, face)`."""

    name: str
    module: str
    help: str
    group: str


GROUPS = {
    "experiments": "Experiments: one git branch each",
    "data": "Data",
    "pipeline": "Pipeline",
    "results": "Results",
    "sharing": "Sharing",
    "project": "Project",
}

COMMANDS: tuple[Command, ...] = (
    Command("fork", "fork", "start a new experiment from this one, another one, or a run", "experiments"),
    Command("switch", "switch", "go to another experiment: code, data and outputs", "experiments"),
    Command("tree", "tree", "show the experiments as they descend from each other", "experiments"),
    Command("show", "show", "show one experiment or one run in full", "experiments"),
    Command("note", "note", "write a note about an experiment or a run", "experiments"),
    Command("rename", "rename", "give an experiment another name", "experiments"),
    Command("archive", "archive", "put an experiment aside, out of `git branch`", "experiments"),
    Command("restore", "restore", "bring an archived experiment back", "experiments"),
    Command("delete", "delete", "delete an experiment; its runs stay recorded", "experiments"),
    Command("undo", "undo", "take back the last command", "experiments"),
    Command("add", "add", "put files or folders under axil's care", "data"),
    Command("rm", "rm", "stop tracking files or folders", "data"),
    Command("materialise", "materialise", "bring data in line with its pointers, as after git checkout", "data"),
    Command("diff", "diff", "list the data files that differ", "data"),
    Command("verify", "verify", "check every stored object and every reference to one", "data"),
    Command("gc", "gc", "free the space of data that nothing needs", "data"),
    Command("run", "run", "run what changed in the pipeline and record the results", "pipeline"),
    Command("sweep", "sweep", "run many variants: a search over parameters", "pipeline"),
    Command("ps", "ps", "list the runs that go on and those that wait", "pipeline"),
    Command("attach", "attach", "follow a run while it goes on", "pipeline"),
    Command("queue", "queue", "list the runs that wait, bring some forward or take them out", "pipeline"),
    Command("stop", "stop", "end runs that go on or wait", "pipeline"),
    Command("resume", "resume", "go on with a run that failed, was stopped or lost", "pipeline"),
    Command("wait", "wait", "wait until runs are over", "pipeline"),
    Command("status", "status", "say what changed and what `axil run` would do", "pipeline"),
    Command("stage", "stage", "add a stage to the pipeline, or list the stages", "pipeline"),
    Command("graph", "graph", "draw the pipeline", "pipeline"),
    Command("runs", "runs", "list runs with their metrics and parameters", "results"),
    Command("compare", "compare", "compare experiments or runs in everything that makes them", "results"),
    Command("bisect", "bisect", "find the change that moved a metric", "results"),
    Command("logs", "logs", "print what a run's stages wrote", "results"),
    Command("push", "push", "share experiments: data, branch and record of runs", "sharing"),
    Command("fetch", "fetch", "learn what others shared; with names, their data too", "sharing"),
    Command("pull", "pull", "fetch, and bring this experiment up to date", "sharing"),
    Command("clone", "clone", "bring a project here, with all its experiments", "sharing"),
    Command("get", "get", "copy a file or folder out of any experiment or run", "sharing"),
    Command("remote", "remote", "say where data are shared; check, repair and prune that place", "sharing"),
    Command("init", "init", "start using axil in a git repository", "project"),
    Command("import", "import_", "turn a DVC project into an axil project, on a new branch", "project"),
    Command("demo", "demo", "make a small real project and tell its story", "project"),
    Command("completion", "completion", "print the shell code that completes axil's commands", "project"),
    Command("help", "help", "explain a command", "project"),
)

HIDDEN: tuple[Command, ...] = (Command("supervise", "supervise", "supervise a detached run", "project"),)
"""What axil starts by itself; in no list."""

OTHER_TOOLS: dict[str, str] = {
    "repro": "axil run",
    "reproduce": "axil run",
    "exp run": "axil run",
    "train": "axil run",
    "exec": "axil run",
    "exp show": "axil runs",
    "exp list": "axil tree",
    "exp ls": "axil tree",
    "exp diff": "axil compare A B",
    "exp apply": "axil switch EXP, or axil fork NAME --from RUN",
    "exp branch": "axil fork NAME --from RUN",
    "exp save": "axil run",
    "exp remove": "axil delete EXP",
    "exp rename": "axil rename OLD NEW",
    "experiments": "axil tree",
    "checkout": "axil switch EXP",
    "co": "axil switch EXP",
    "branch": "axil fork NAME, or axil tree to list them",
    "new": "axil fork NAME",
    "create": "axil fork NAME",
    "commit": "git commit (code and pointers), axil add PATH (data)",
    "save": "axil add PATH",
    "track": "axil add PATH",
    "remove": "axil rm PATH",
    "untrack": "axil rm PATH",
    "drop": "axil rm PATH, then axil gc",
    "log": "axil runs, or axil logs RUN for what a run wrote",
    "history": "axil runs",
    "list": "axil tree, or axil runs",
    "ls": "axil tree, or axil runs",
    "search": "axil runs --where 'f1 > 0.9'",
    "best": "axil runs --sort METRIC -n 1",
    "leaderboard": "axil runs --sort METRIC",
    "dag": "axil graph",
    "metrics show": "axil runs",
    "metrics diff": "axil compare A B",
    "metrics": "axil runs",
    "params diff": "axil compare A B",
    "params": "axil runs --params '*'",
    "plots show": "axil show RUN",
    "plots diff": "axil compare A B",
    "plots": "axil show RUN",
    "data status": "axil status",
    "explain": "axil run -n",
    "why": "axil run -n",
    "plan": "axil run -n",
    "dry-run": "axil run -n",
    "fsck": "axil verify",
    "check": "axil verify",
    "prune": "axil gc (here), axil remote prune (on the storage remote)",
    "publish": "axil push",
    "upload": "axil push",
    "share": "axil push",
    "sync": "axil pull, then axil push",
    "download": "axil fetch EXP, or axil get EXP:PATH",
    "cat": "axil get EXP:PATH",
    "exp push": "axil push EXP",
    "exp pull": "axil fetch EXP",
    "remotes": "axil remote list",
    "config": "axil remote add, or edit axil.toml",
    "op log": "axil undo --list",
    "op undo": "axil undo",
    "revert": "axil undo",
    "tag": "axil note EXP TEXT",
    "comment": "axil note EXP TEXT",
    "mv": "axil rename OLD NEW",
    "move": "axil rename OLD NEW",
    "unarchive": "axil restore EXP",
    "step": "axil stage add NAME -- CMD",
    "ui": "axil tree, axil runs, axil compare",
    "exp": "axil run, axil runs, axil tree, axil fork",
    "version": "axil --version",
}
"""What people type who come from other tools -> what to type here."""


def find(name: str) -> Command | None:
    """The command called `name`."""
    for command in (*COMMANDS, *HIDDEN):
        if command.name == name:
            return command
    return None


def load(command: Command):  # type: ignore[no-untyped-def]  # a module; its two functions are checked by a test
    """Import the command's module, and only that one."""
    import sys

    name = f"{PACKAGE}.{command.module}"
    __import__(name)
    return sys.modules[name]
