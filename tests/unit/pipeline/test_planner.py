"""The planner: every action with its reason, over a project that is really on disk."""

from __future__ import annotations

import os
import time

import pytest

from axil.errors import BadInput, NotFound
from axil.pipeline.keys import UNSTABLE
from axil.pipeline.keys import key as key_of

TOML = """\
[stages.prepare]
cmd = "python src/prepare.py"
deps = ["raw.csv"]
outs = ["data/p.csv"]

[stages.train]
cmd = "python src/train.py"
deps = ["data/p.csv"]
params = ["train"]
outs = ["m.bin"]
metrics = ["m.json"]

[stages.evaluate]
cmd = "python src/evaluate.py"
deps = ["m.bin"]
outs = ["e.txt"]
"""
OUT = {"data/p.csv": "p", "m.bin": "m", "m.json": "{}", "e.txt": "e"}


@pytest.fixture
def digits(world):
    world.write("axil.toml", TOML)
    world.write("params.yaml", "train:\n  lr: 0.1\nother: 2\n")
    world.write("raw.csv", "1")
    world.write("src/prepare.py", "import util\n")
    world.write("src/util.py", "x = 1\n")
    world.write("src/train.py", "pass\n")
    world.write("src/evaluate.py", "pass\n")
    return world


@pytest.fixture
def ran(digits):
    assert digits.run(OUT) == {"prepare": "run", "train": "run", "evaluate": "run"}
    return digits


def test_a_first_plan_runs_the_roots_and_lets_the_others_wait(digits):
    plan = digits.plan()
    assert list(plan) == ["prepare", "train", "evaluate"]
    assert (plan["prepare"].action, plan["prepare"].reason) == ("run", "never ran")
    assert (plan["train"].action, plan["train"].reason) == ("waits", "after prepare (may be cached)")
    assert plan["evaluate"].reason == "after train (may be cached)"
    assert plan["train"].inputs is None


def test_after_a_run_everything_is_current(ran):
    plan = ran.plan()
    assert {decision.action for decision in plan.values()} == {"current"}
    assert plan["train"].reason == "unchanged since run 0000001"
    assert plan["train"].outs["m.bin"].oid.hex() == ran.oid("m.bin")
    assert ran.run(OUT) == dict.fromkeys(plan, "current")


def test_comments_and_unused_parameters_change_nothing(ran):
    ran.write("src/util.py", "# why\nx = 1\n")
    ran.write("params.yaml", "# c\nother: 3\ntrain: {lr: 0.1}\n")
    assert set(ran.actions().values()) == {"current"}


def test_a_changed_import_is_named_and_an_unchanged_output_stops_the_wave(ran):
    ran.write("src/util.py", "x = 2\n")
    plan = ran.plan()
    assert plan["prepare"].reason == "code: src/util.py changed (imported by src/prepare.py) since run 0000001"
    assert plan["evaluate"].action == "waits"
    assert ran.run(OUT) == {"prepare": "run", "train": "current", "evaluate": "current"}


def test_a_changed_output_goes_on(ran):
    ran.write("raw.csv", "2")
    assert ran.plan()["prepare"].reason == "deps: raw.csv changed since run 0000001"
    assert ran.run({**OUT, "data/p.csv": "p2"}) == {"prepare": "run", "train": "run", "evaluate": "current"}
    assert ran.journal.rows[-2].reason == "deps: data/p.csv changed since run 0000001"


def test_going_back_to_an_old_parameter_restores_its_result(ran):
    ran.write("params.yaml", "train:\n  lr: 0.01\n")
    assert ran.plan()["train"].reason == "params.train.lr 0.1 → 0.01 since run 0000001"
    ran.run({**OUT, "m.bin": "m2", "e.txt": "e2"})
    ran.write("params.yaml", "train:\n  lr: 0.1\n")
    plan = ran.plan()
    assert (plan["train"].action, plan["train"].reason) == ("restore", "same inputs as run 0000001")
    assert plan["train"].overwrites == ()
    assert plan["train"].hit.run.endswith("0000001")
    # What comes behind is judged by what will be restored, not by what lies in the work tree now.
    assert (plan["evaluate"].action, plan["evaluate"].hit.run[-7:]) == ("restore", "0000001")
    assert ran.run(OUT) == {"prepare": "current", "train": "restore", "evaluate": "restore"}
    assert (ran.root / "m.bin").read_text() == "m"
    assert set(ran.actions().values()) == {"current"}


def test_results_of_other_experiments_are_used_and_named(ran):
    ran.experiment = "other"
    ran.remove("m.bin")
    reason = ran.plan()["train"].reason
    assert reason == "m.bin is missing, run 0000001 on main has the result"


def test_a_missing_output_is_restored(ran):
    ran.remove("m.bin")
    plan = ran.plan()
    assert (plan["train"].action, plan["train"].overwrites) == ("restore", ())
    assert plan["train"].reason == "m.bin is missing, run 0000001 has the result"
    assert plan["evaluate"].action == "current"


def test_an_output_edited_by_hand_is_named_before_it_is_replaced(ran):
    ran.write("m.bin", "mine")
    decision = ran.plan()["train"]
    assert (decision.action, decision.overwrites) == ("restore", ("m.bin",))
    assert decision.reason == "m.bin was edited by hand, run 0000001 has the result"
    ran.write("params.yaml", "train:\n  lr: 0.5\n")
    decision = ran.plan()["train"]
    assert (decision.action, decision.overwrites) == ("run", ("m.bin",))


def test_an_output_from_before_axil_is_not_overwritten_unsaid(digits):
    digits.write("data/p.csv", "made by hand")
    assert digits.plan()["prepare"].overwrites == ("data/p.csv",)


def test_a_pipe_where_an_output_belongs_does_not_stop_the_plan(ran):
    ran.remove("m.bin")
    os.mkfifo(ran.root / "m.bin")
    assert ran.plan()["train"].action == "restore"
    ran.remove("raw.csv")
    os.mkfifo(ran.root / "raw.csv")
    with pytest.raises(BadInput, match="pipe"):
        ran.plan()


def test_a_result_whose_objects_are_gone_is_made_again(ran):
    ran.remove("m.bin")
    oid = ran.journal.rows[1].outs["m.bin"].oid
    ran.store = Without(ran.store, bytes.fromhex(oid))
    decision = ran.plan()["train"]
    assert (decision.action, decision.reason) == ("run", "m.bin of run 0000001 is no longer in the store")


def test_objects_are_looked_for_inside_folders(world):
    world.write("axil.toml", '[stages.a]\ncmd = "x"\nouts = ["o"]\n')
    world.write("o/deep/file", "content")
    planner = world.planner()
    world.record("01RUNAXXXX", planner.decide("a"), "succeeded", ["o"])
    assert world.actions() == {"a": "current"}
    file = world.oid("o/deep/file")
    world.remove("o/deep/file")
    assert world.actions() == {"a": "restore"}
    world.store = Without(world.store, bytes.fromhex(file))
    assert world.plan()["a"].reason == "o of run UNAXXXX is no longer in the store"


class Without:
    """A store in which one object is missing."""

    def __init__(self, store, oid: bytes) -> None:
        self.store = store
        self.oid = oid

    def missing(self, oids):
        oids = list(oids)
        return self.store.missing(oids) | ({self.oid} & set(oids))

    def entries(self, oid):
        return self.store.entries(oid)


def test_a_failed_stage_runs_again_with_that_reason(digits):
    digits.run(OUT, fail="train")
    plan = digits.plan()
    assert plan["prepare"].action == "current"
    assert (plan["train"].action, plan["train"].reason) == ("run", "it failed in run 0000001: exit code 3")
    assert plan["train"].overwrites == ()


def test_forced_and_always(ran):
    plan = ran.plan(force=["train"])
    assert [(d.action, d.reason) for d in plan.values()][1:] == [
        ("run", "forced"),
        ("waits", "after train (may be cached)"),
    ]
    ran.write("axil.toml", TOML.replace('outs = ["m.bin"]', 'outs = ["m.bin"]\nalways = true'))
    assert ran.plan()["train"].reason == "always runs"
    assert ran.run(OUT) == {"prepare": "current", "train": "run", "evaluate": "current"}
    ran.write("raw.csv", "2")
    assert ran.plan()["train"].action == "run"


def test_the_own_last_result_is_kept_although_a_newer_one_has_the_same_key(ran):
    ran.experiment = "other"
    ran.run({**OUT, "m.bin": "another"}, force=["train"])
    ran.experiment = "main"
    ran.write("m.bin", "m")
    assert ran.plan()["train"].reason == "unchanged since run 0000001"


def test_targets(digits):
    assert digits.actions(["prepare"]) == {"prepare": "run"}
    assert list(digits.actions(["m.bin"])) == ["prepare", "train"]
    with pytest.raises(NotFound):
        digits.plan(["trian"])


def test_a_changed_command_cwd_or_variable(ran):
    ran.write("axil.toml", TOML.replace("train.py", "train.py --x"))
    assert ran.plan()["train"].reason == "the command changed since run 0000001"
    ran.write("axil.toml", TOML.replace("[stages.train]", '[stages.train]\nenv = ["SEED"]'))
    assert ran.plan()["train"].reason == "environment variable SEED changed since run 0000001"
    ran.run(OUT)
    assert ran.actions()["train"] == "current"
    ran.environ["SEED"] = "1"
    assert ran.plan()["train"].reason == "environment variable SEED changed since run 0000002"
    assert ran.plan(environment="abc")["prepare"].reason == "the environment changed since run 0000002"


def test_a_new_output_is_a_new_result(ran):
    ran.write("axil.toml", TOML.replace('outs = ["m.bin"]', 'outs = ["m.bin", "n.bin"]'))
    assert ran.plan()["train"].reason == "the outputs changed: +n.bin since run 0000001"


def test_the_params_file_named_in_a_command_counts_only_without_declared_params(world):
    world.write("params.yaml", "a: 1\nb: 1\n")
    world.write(
        "axil.toml", '[stages.x]\ncmd = "tool params.yaml"\n[stages.y]\ncmd = "tool params.yaml"\nparams=["a"]\n'
    )
    world.run({})
    world.write("params.yaml", "a: 1\nb: 2\n")
    assert world.actions() == {"x": "run", "y": "current"}


def test_a_dep_inside_an_output_is_looked_up_in_the_result(world):
    world.write(
        "axil.toml", '[stages.a]\ncmd = "x"\nouts = ["o"]\n[stages.b]\ncmd = "y"\ndeps = ["o/in/f"]\nouts=["z"]\n'
    )
    for name in ("o/in/f", "o/other", "z"):
        world.write(name, name)
    for stage, made in (("a", ["o"]), ("b", ["z"])):
        world.record("01RUNAXXXX", world.planner().decide(stage), "succeeded", made)
    oid = world.oid("o/in/f")
    world.remove("o/in/f")
    plan = world.plan()
    assert (plan["a"].action, plan["b"].action) == ("restore", "current")
    assert plan["b"].inputs.deps == {"o/in/f": oid}


def test_a_folder_of_outputs_waits_until_they_are_back(world):
    world.write(
        "axil.toml", '[stages.a]\ncmd = "x"\nouts = ["o/a"]\n[stages.b]\ncmd = "y"\ndeps = ["o"]\nouts = ["z"]\n'
    )
    world.write("o/readme", "r")
    world.run({"o/a": "1", "z": "2"})
    assert set(world.actions().values()) == {"current"}
    world.remove("o/a")
    assert world.actions() == {"a": "restore", "b": "waits"}
    assert world.run({}) == {"a": "restore", "b": "current"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('deps = ["raw.csv"]', 'deps = ["raw.cvs"]', ("line 1: stage prepare depends on raw.cvs", "`raw.csv`")),
        ('deps = ["m.bin"]', 'deps = ["m.bim"]', ("line 13: stage evaluate depends on m.bim", "`m.bin`")),
        ('params = ["train"]', 'params = ["trian"]', ("line 6: stage train uses the parameter `trian`", "`train`")),
        ('params = ["train"]', 'params = ["train.l"]', ("uses the parameter `train.l`", "`train.lr`")),
        ('outs = ["e.txt"]', 'cwd = "srcs"', ("line 13: stage evaluate cannot run in srcs", "`src`")),
        ('deps = ["m.bin"]', 'deps = ["nothing/like/it"]', ("nothing/like/it", "axil add nothing/like/it")),
    ],
)
def test_mistakes_are_found_before_anything_runs(digits, old, new, words):
    digits.write("axil.toml", TOML.replace(old, new))
    with pytest.raises(BadInput) as caught:
        digits.plan()
    for word in words:
        assert word in str(caught.value)
    assert "axil.toml" in caught.value.what


def test_missing_tracked_data_is_told_as_such(digits):
    digits.remove("raw.csv")
    digits.write("raw.csv.axil", "")
    with pytest.raises(BadInput, match=r"raw\.csv is tracked data \(raw\.csv\.axil\)"):
        digits.plan()


def test_an_upstream_that_does_not_make_what_it_should(ran):
    ran.remove("data/p.csv")
    with pytest.raises(BadInput, match="stage prepare did not make it"):
        ran.planner().decide("train")


def test_without_a_params_file(digits):
    digits.remove("params.yaml")
    with pytest.raises(BadInput, match="no params file"):
        digits.plan()


def test_modules_seen_at_run_time_join_the_key(digits):
    digits.write("plugin.py", "x = 1\n")
    planner = digits.planner()
    decision = planner.decide("prepare")
    inputs = planner.with_seen("prepare", decision.inputs, ["plugin.py", "src/util.py"], time.time() + 60)
    assert list(inputs.code) == ["plugin.py", "src/prepare.py", "src/util.py"]
    digits.write("data/p.csv", "p")
    digits.record("01RUNSEENX", decision._replace(inputs=inputs), "succeeded", ["data/p.csv"], seen=["plugin.py"])
    planned = digits.plan()["prepare"]
    assert (planned.action, planned.seen, planned.key) == ("current", ("plugin.py",), key_of(inputs))
    digits.write("plugin.py", "x = 2\n")
    assert digits.plan()["prepare"].reason == "code: plugin.py changed since run UNSEENX"


def test_a_module_edited_during_its_run_never_matches(digits):
    digits.write("plugin.py", "x = 1\n")
    planner = digits.planner()
    decision = planner.decide("prepare")
    digits.write("src/util.py", "x = 3\n")
    inputs = planner.with_seen("prepare", decision.inputs, ["plugin.py"], started=1.0)
    assert inputs.code["plugin.py"] == UNSTABLE
    assert inputs.code["src/util.py"] == decision.inputs.code["src/util.py"]


def test_planning_changes_nothing_in_the_project(ran):
    ran.write("raw.csv", "2")
    before = {path: path.stat().st_mtime_ns for path in ran.root.rglob("*")}
    ran.plan()
    assert {path: path.stat().st_mtime_ns for path in ran.root.rglob("*")} == before


def test_a_hundred_chained_stages_are_planned_in_milliseconds(world):
    world.write("src/step.py", "import util\n")
    world.write("src/util.py")
    world.write("in.txt", "0")
    world.write("params.yaml", "a: 1\n")
    world.write(
        "axil.toml",
        "".join(
            f'[stages.s{n}]\ncmd = "python src/step.py {n}"\ndeps = ["{f"o/{n - 1}" if n else "in.txt"}"]\n'
            f'params = ["a"]\nouts = ["o/{n}"]\n'
            for n in range(100)
        ),
    )
    world.run({f"o/{n}": str(n) for n in range(100)})
    # Files just written are read again until their time stamps are old enough to be trusted.
    time.sleep(0.05)
    world.plan()
    world.journal.asked = 0
    planner = world.planner()
    start = time.perf_counter()
    plan = planner.plan_all()
    took = time.perf_counter() - start
    assert {decision.action for decision in plan} == {"current"}
    assert world.journal.asked == 0
    assert took < 0.5
