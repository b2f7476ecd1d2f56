"""A callback for the Trainer of Hugging Face transformers: `Trainer(..., callbacks=[AxilCallback()])`."""

from __future__ import annotations

from typing import Any

from axil import tracking
from axil.integrations.common import harmless, log, missing

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise missing("transformers", "axil.integrations.huggingface", error) from error

_EVALUATION, _TEST = "eval_", "test_"


class AxilCallback(TrainerCallback):
    """Logs what the Trainer logs, in the main process: names as it writes them, `eval_` and `test_` as a folder.

    The training arguments that differ from their defaults become logged params.
    """

    @harmless
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Log the arguments."""
        if state.is_world_process_zero:
            tracking.log_params(_changed(args))

    @harmless
    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Log the values at the Trainer's global step."""
        if state.is_world_process_zero:
            log({_name(key): value for key, value in (logs or {}).items()}, state.global_step)

    @harmless
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write what is buffered."""
        tracking.flush()


def _name(key: str) -> str:
    for prefix in (_EVALUATION, _TEST):
        if key.startswith(prefix):
            return f"{prefix[:-1]}/{key[len(prefix) :]}"
    return key


def _changed(args: Any) -> dict[str, Any]:
    """The fields of the training arguments that are not as they are by default; there are over a hundred."""
    from dataclasses import MISSING, fields

    changed = {}
    for field in fields(args):
        value = getattr(args, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if field.init and value != default and value is not None and not field.name.endswith("_token"):
            changed[field.name] = value
    return changed
