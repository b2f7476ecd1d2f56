"""Print the shell code that completes axil's commands, options, experiments, runs and stages.

  bash   echo 'eval "$(axil completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(axil completion zsh)"' >> ~/.zshrc
  fish   axil completion fish > ~/.config/fish/completions/axil.fish

Then open a new shell.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.cli.completion import shell_code

    face.raw(shell_code(args.shell) + "\n")
    return 0
