"""Loaded by every Python process of a run (through PYTHONPATH): notes at exit which modules it had imported, and
lets MLflow log to the run.

In a run with a work tree of its own it also sees to it that the project's packages are imported from there.

Runs inside the user's program under any Python 3: standard library only, no new syntax, no import that the
interpreter has not made already, and no exception of its own ever gets out.
"""

import atexit
import os
import sys


def _move_imports():
    # type: () -> None
    """Let packages that are installed in editable mode come from the run's work tree, not from the user's."""
    try:
        source, root = os.environ.get("AXIL_SOURCE"), os.environ.get("AXIL_ROOT")
        if not source or not root:
            return
        sys.path[:] = [_moved(entry, source, root) for entry in sys.path]
        for name, module in list(sys.modules.items()):
            if name.startswith("__editable___") and name.endswith("_finder"):
                # What setuptools makes: package -> folder or file; namespace -> folders.
                mapping, spaces = getattr(module, "MAPPING", {}), getattr(module, "NAMESPACES", {})
                for key in mapping:
                    mapping[key] = _moved(mapping[key], source, root, (".py", ".so"))
                for key in spaces:
                    spaces[key] = [_moved(path, source, root) for path in spaces[key]]
    except Exception:
        pass


def _moved(path, source, root, endings=()):
    # type: (str, str, str, tuple[str, ...]) -> str
    """Where `path`, in the user's work tree, is in the run's; `path` itself if it is not there, or is no source."""
    real = os.path.realpath(path)
    if real != source and not real.startswith(source + os.sep):
        return path
    # The environment itself may lie in the project, and so does the run's own work tree.
    for apart in (root, os.path.join(source, ".axil"), os.path.realpath(sys.prefix), sys.prefix):
        if real == apart or real.startswith(apart + os.sep):
            return path
    there = root + real[len(source) :]
    # An empty folder is where a submodule would be.
    if os.path.isdir(there):
        return there if os.listdir(there) else path
    return there if any(os.path.isfile(there + ending) for ending in ("", *endings)) else path


def _note_at_exit():
    # type: () -> None
    try:
        folder, root = os.environ.get("AXIL_RUN_DIR"), os.environ.get("AXIL_ROOT")
        if folder and root:
            # The first registered runs last: modules imported by other exit functions are seen too.
            atexit.register(_note, os.path.join(folder, "trace"), root + os.sep, os.environ.get("AXIL_STAGE", ""))
    except Exception:
        pass


def _note(folder, root, stage):
    # type: (str, str, str) -> None
    try:
        fields = _fields(root, stage)
        fields += ["end", ""]
        data = "\0".join(fields).encode("utf-8", "surrogateescape")
        name = str(os.getpid()) + "-" + os.urandom(4).hex() + ".trace"
        fd = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
    except Exception:
        pass


def _fields(root, stage):
    # type: (str, str) -> list[str]
    fields = ["stage", stage, "version", ".".join(map(str, sys.version_info[:3]))]
    fields += ["implementation", sys.implementation.name, "prefix", sys.prefix]
    stdlib = os.path.dirname(os.__file__) + os.sep
    prefix = sys.prefix + os.sep
    project, outside = set(), set()
    sites = {}  # type: dict[str, set[str]]
    files = _files()
    for name, path in files.items():
        top = name.partition(".")[0]
        if path.startswith(root) and "-packages" + os.sep not in path and not path.startswith(prefix):
            project.add(path[len(root) :])
        elif name is not top and top in files:
            continue  # a part of a package that is noted by its top
        elif "-packages" + os.sep in path:
            site, _, inner = path.rpartition("-packages" + os.sep)
            # Without a file of its own the top is a namespace that many distributions share: look deeper.
            key = inner.replace(os.sep, "/") if name is not top else top
            sites.setdefault(site + "-packages", set()).add(key)
        elif not path.startswith(stdlib) and not path.startswith(prefix):
            outside.add(top)
    for path in sorted(project):
        fields += ["module", path]
    for site in sorted(sites):
        fields += ["site", site]
        for top in sorted(sites[site]):
            fields += ["package", top]
    fields += ["site", ""]
    for name in sorted(outside - {"sitecustomize"}):
        fields += ["package", name]
    return fields


def _files():
    # type: () -> dict[str, str]
    """Module -> file. Read past `getattr`: modules that load lazily would start to load now."""
    look, files = object.__getattribute__, {}
    for name, module in list(sys.modules.items()):
        try:
            path = look(module, "__dict__").get("__file__")
            if path:
                files[name] = path
        except Exception:
            continue
    # The interpreter has dropped `__main__.__file__` by now.
    script = os.path.abspath(sys.argv[0]) if sys.argv and sys.argv[0].endswith(".py") else ""
    if script and os.path.isfile(script):
        files["__main__"] = script
    return files


def _lead_mlflow():
    # type: () -> None
    """Let MLflow log to the run, unless the user has said where it logs, or this Python has no axil to do it."""
    try:
        if "AXIL_RUN_DIR" in os.environ and "MLFLOW_TRACKING_URI" not in os.environ:
            folders = [folder for folder in sys.path if os.path.isdir(folder)]
            there = any(os.path.isdir(os.path.join(folder, "mlflow")) for folder in folders)
            if there and any(_offers_store(folder) for folder in folders):
                os.environ["MLFLOW_TRACKING_URI"] = "axil:"
    except Exception:
        pass


def _offers_store(folder):
    # type: (str) -> bool
    """Whether an axil is installed in `folder` that MLflow finds."""
    for name in os.listdir(folder):
        if name.startswith("axil-") and name.endswith(".dist-info"):
            with open(os.path.join(folder, name, "entry_points.txt")) as file:
                return "mlflow.tracking_store" in file.read()
    return False


def _hand_on():
    # type: () -> None
    """Load the `sitecustomize` this one stands before, and let it behave as if it were the first."""
    here = os.path.dirname(os.path.abspath(__file__))
    ours = sys.modules.pop("sitecustomize", None)
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(here)]
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        # The import system expects to find the module whose import it is in.
        if ours is not None and "sitecustomize" not in sys.modules:
            sys.modules["sitecustomize"] = ours


_move_imports()
_note_at_exit()
_lead_mlflow()
_hand_on()
