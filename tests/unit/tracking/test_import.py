"""import axil: a small public name list, nothing imported beyond the standard library, quickly."""

from __future__ import annotations

import subprocess
import sys

import axil

LOADED = "import sys; before = set(sys.modules); {code}; print(*sorted(set(sys.modules) - before), sep='\\n')"


def _new_modules(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED.format(code=code)], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_public_names() -> None:
    assert axil.__all__ == [
        "__version__", "flush", "log", "log_artifact", "log_figure", "log_image", "log_params", "log_table", "params",
        "sample", "track",
    ]  # fmt: skip
    assert all(hasattr(axil, name) for name in axil.__all__)
    assert set(axil.__all__) <= set(dir(axil))
    assert axil.__version__ and callable(axil.log) and callable(axil.track) and callable(axil.flush)


def test_params_stays_params_once_its_module_is_loaded() -> None:
    assert axil.params is axil.params
    assert hasattr(axil.params, "keys")


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(axil, "nothing")


def test_import_loads_nothing_else() -> None:
    assert _new_modules("import axil") <= {"axil", "__future__"}


def test_logging_loads_only_the_standard_library() -> None:
    loaded = _new_modules(
        "import os; os.environ['AXIL_RUN_DIR'] = '/nonexistent'; import axil; axil.log(a=1); axil.flush();"
        "axil.log_table('t', [[1]]); axil.log_image('i', 'x.png')\n"
        "for _ in axil.track([1]): pass"
    )
    foreign = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in foreign} == {"axil"}
    assert {name for name in foreign if not name.startswith("axil.tracking")} == {"axil"}
    assert not loaded & {"typing", "inspect", "logging", "json"}


def test_logging_numbers_loads_little() -> None:
    loaded = _new_modules("import os; os.environ['AXIL_RUN_DIR'] = '/nonexistent'; import axil; axil.log(a=1)")
    assert not loaded & {"typing", "inspect", "logging", "json", "re", "shutil", "csv", "zlib"}
