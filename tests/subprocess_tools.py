"""Running code in a fresh interpreter, for what holds per process: levels, environment variables, fork, exit."""

import os
import subprocess
import sys
import textwrap

# A protection against hangs only: no test's verdict depends on how fast the machine is.
LIMIT_SECONDS = 120


def run_python(
    code: str, *arguments: str, launcher: tuple[str, ...] = (), **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new interpreter; `environment` adds variables, None removes one."""
    variables = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    command = [*launcher, sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)


def python_output(code: str, *arguments: str, **environment: str | None) -> str:
    """What `code` prints in a new interpreter, which must end well and say nothing on stderr."""
    process = run_python(code, *arguments, **environment)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    return process.stdout.strip()
