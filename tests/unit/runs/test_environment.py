"""runs.environment and the tracer: which distribution a module came from, without slowing anything down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from axil.formats.runfiles import Trace, parse_trace
from axil.runs import environment
from axil.runs.traces import FOLDER, Traces, python_path


class Cache:
    def __init__(self):
        self.values = {}
        self.hits = 0

    def cached(self, kind, key):
        self.hits += (kind, key) in self.values
        return self.values.get((kind, key))

    def remember(self, kind, values):
        self.values.update({(kind, key): value for key, value in values.items()})


@pytest.fixture
def site(tmp_path):
    """Site packages of every kind of metadata."""
    site = tmp_path / "site-packages"
    records = {
        "Plain_Name-1.0.dist-info": "plain/__init__.py,,\nplain/sub/x.py,,\nPlain_Name-1.0.dist-info/RECORD,,\n../x,,",
        "single-2.0.dist-info": "single.py,,\n__pycache__/single.cpython-311.pyc,,",
        "native-3.0.dist-info": "_native.cpython-311-x86_64-linux-gnu.so,,",
        "google_storage-4.0.dist-info": "google/cloud/storage/__init__.py,,",
        "google_auth-5.0.dist-info": "google/auth/__init__.py,,",
        "edited-6.0.dist-info": "__editable__.edited-6.0.pth,,",
        "hatched-7.0.dist-info": "_editable_impl_hatched.pth,,",
    }
    for folder, record in records.items():
        (site / folder).mkdir(parents=True)
        (site / folder / "RECORD").write_text(record)
    (site / "old-0.1-py3.11.egg-info").mkdir()
    (site / "old-0.1-py3.11.egg-info" / "top_level.txt").write_text("oldmodule\n")
    return str(site)


def trace(packages):
    return Trace("s", "3.11.7", "cpython", "/v", [], packages)


def test_packages_of_every_kind(site):
    modules = ["plain", "single", "_native", "google/cloud/storage", "google/auth", "edited", "oldmodule", "unknown"]
    found = environment.packages([trace(dict.fromkeys(modules, site))], Cache())
    assert found == {
        "edited": "6.0", "google-auth": "5.0", "google-storage": "4.0", "native": "3.0", "old": "0.1",
        "plain-name": "1.0", "single": "2.0",
    }  # fmt: skip


def test_an_editable_install_is_found_although_its_code_is_elsewhere(site):
    found = environment.packages([trace({"plain": site, "hatched": ""})], Cache())
    assert found == {"plain-name": "1.0", "hatched": "7.0"}


def test_metadata_is_read_again_only_after_an_install(site):
    cache = Cache()
    first = environment.distributions(site, cache)
    assert environment.distributions(site, cache) == first and cache.hits == 1
    (Path(site) / "new-1.0.dist-info").mkdir()
    (Path(site) / "new-1.0.dist-info" / "RECORD").write_text("new.py,,\n")
    os.utime(site, ns=(1, 1))
    assert environment.distributions(site, cache)["new"] == ["new", "1.0"]


def test_a_site_that_is_gone_or_a_damaged_cache_is_no_error(site, tmp_path):
    assert environment.distributions(str(tmp_path / "nowhere"), Cache()) == {}
    cache = Cache()
    first = environment.distributions(site, cache)
    cache.values = dict.fromkeys(cache.values, b"not json")
    assert environment.distributions(site, cache) == first


def test_a_run_without_python_has_only_the_machine(tmp_path):
    found = environment.record(str(tmp_path), [], Cache())
    assert (found.python, found.packages) == ("", {})
    assert found.platform.startswith(os.uname().sysname) and found.axil


# -- the tracer in real processes ----------------------------------------------------------------------------------


@pytest.fixture
def traced(tmp_path):
    """Runs Python with the tracer; gives the process and its trace."""
    folder = tmp_path / "run"
    (folder / "trace").mkdir(parents=True)
    root = tmp_path / "project"
    root.mkdir()

    class Traced:
        def __init__(self):
            self.root, self.folder = root, folder

        def __call__(self, *args, before="", **env):
            environ = {
                **os.environ, "PYTHONPATH": python_path({"PYTHONPATH": before}), "AXIL_RUN_DIR": str(folder),
                "AXIL_ROOT": str(root), "AXIL_STAGE": "s", **env,
            }  # fmt: skip
            done = subprocess.run(
                [sys.executable, *args], cwd=root, env=environ, capture_output=True, text=True, check=False
            )
            return done, [parse_trace(name.read_bytes()) for name in sorted((folder / "trace").iterdir())]

    return Traced()


def test_modules_and_packages_of_a_process(traced):
    (traced.root / "pkg").mkdir()
    (traced.root / "pkg" / "__init__.py").write_text("")
    (traced.root / "pkg" / "inner.py").write_text("")
    (traced.root / "main.py").write_text("import pkg.inner, json, numpy\n")
    done, (found,) = traced("main.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert found.modules == ["main.py", "pkg/__init__.py", "pkg/inner.py"]
    assert found.packages["numpy"].endswith("site-packages")
    assert not {"json", "os", "sitecustomize"} & set(found.packages)
    assert (found.stage, found.version, found.implementation) == ("s", sys.version.split()[0], sys.implementation.name)


def test_every_process_leaves_its_own_trace(traced):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'])"
    _, found = traced("-c", code)
    assert len(found) == 2
    traces = Traces(str(traced.folder / "trace"))
    traces.collect()
    traces.collect()
    assert len(traces.all) == 2


def test_the_users_own_sitecustomize_is_loaded_too(traced, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text("import sys; sys.theirs = __file__\n")
    code = f"import sys, sitecustomize; assert sys.theirs == sitecustomize.__file__; assert {FOLDER!r} not in sys.path"
    done, found = traced("-c", code, before=str(theirs))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(found) == 1


@pytest.mark.parametrize("text", ["raise ValueError('theirs')", "import nothing_like_it"])
def test_a_broken_one_behaves_as_without_axil(traced, tmp_path, text):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text(text)
    with_axil, found = traced("-c", "print('ran')", before=str(theirs))
    without, _ = traced("-c", "print('ran')", PYTHONPATH=str(theirs))
    assert with_axil.returncode == without.returncode
    assert with_axil.stdout == without.stdout
    assert with_axil.stderr.splitlines()[:1] == without.stderr.splitlines()[:1]
    assert len(found) == (with_axil.returncode == 0)


def test_a_run_directory_that_is_gone_is_no_error(traced, tmp_path):
    done, found = traced("-c", "print('ran')", AXIL_RUN_DIR=str(tmp_path / "gone"))
    assert (done.returncode, done.stdout, done.stderr, found) == (0, "ran\n", "", [])


def test_modules_that_load_lazily_stay_unloaded(traced):
    code = (
        "import importlib.util, sys\nspec = importlib.util.find_spec('lazy')\n"
        "spec.loader = importlib.util.LazyLoader(spec.loader)\nmodule = importlib.util.module_from_spec(spec)\n"
        "sys.modules['lazy'] = module\nspec.loader.exec_module(module)\n"
    )
    (traced.root / "lazy.py").write_text("print('loaded')\n")
    done, _ = traced("-c", code)
    assert done.stdout == ""


def test_python_path_keeps_what_was_there():
    assert python_path({}) == FOLDER
    assert python_path({"PYTHONPATH": "/mine"}) == f"{FOLDER}{os.pathsep}/mine"
