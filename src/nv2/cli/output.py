"""The only printer. Data goes to standard output, everything else to standard error.

Text that came from elsewhere is shown with its control characters escaped, so that a registry cannot
rewrite the reader's terminal.
"""

from __future__ import annotations

import sys

from nv2.errors import EnvironmentFailure, Nv2Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TextIO


def printable(text: str) -> str:
    """`text` with control characters (and line ends) escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def as_program(text: str, program: str) -> str:
    """`text` of ours, with the name `program` in the place of `nv2`; paths and references keep it."""
    if program == "nv2":
        return text
    import re

    return re.sub(r"(?<![\w./:-])nv2(?![\w./:-])", program, text)


def counted(number: int, word: str) -> str:
    """So many of what `word` is called: `1 manifest`, `2 manifests`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def _in_json(character: str) -> str:
    """`character` of a JSON text: escaped if it means something to HTML or to a terminal."""
    if character == "\n" or (character.isprintable() and character not in "<>&"):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


class Output:
    """Where a command prints. `program` is the name it goes by: `nv2` or `notation`."""

    def __init__(self, stdout: TextIO, stderr: TextIO, program: str = "nv2", *, quiet: bool = False) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self.program = program
        self.quiet = quiet
        self.warned = False
        """Whether a warning was printed: notation then starts its answer with an empty line."""
        self.printed = False
        """Whether anything went to standard output."""
        self._passing = False
        """Whether a line on the terminal waits to be replaced."""

    def line(self, text: str = "") -> None:
        """One line of data."""
        self.raw(printable(text) + "\n")

    def lines(self, texts: Iterable[str]) -> None:
        """Several lines of data."""
        for text in texts:
            self.line(text)

    def raw(self, text: str) -> None:
        """Text of our own, or the bytes of a file that the caller asked to see, as it is."""
        self.printed = True
        self.passing("")
        try:
            self._stdout.write(text)
        except UnicodeEncodeError as e:
            # A terminal of another age: what it cannot show is shown as an escape.
            self._stdout.write(text.encode(e.encoding, "backslashreplace").decode(e.encoding))
        except BrokenPipeError:
            raise
        except OSError as e:
            raise EnvironmentFailure(f"cannot write the output: {e.strerror}") from None

    def json(self, document: Any) -> None:
        """One JSON document, indented by 2. Go's escapes of `<`, `>`, `&` keep it safe inside HTML, others a
        terminal: JSON itself leaves DEL, C1 controls and changes of direction as they are."""
        import json  # 8 ms that `--help` need not pay

        text = json.dumps(document, indent=2, ensure_ascii=False)
        reconfigure = getattr(self._stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8")  # whatever the terminal's is: RFC 8259, 8.1
        self.raw("".join(map(_in_json, text)) + "\n")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns three spaces apart, every cell padded, as notation prints them."""
        cells = [[printable(cell) for cell in row] for row in (header, *rows)]
        widths = [max(len(row[i]) for row in cells) + 3 for i in range(len(header))]
        for row in cells:
            self.raw("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + "\n")

    def _complain(self, text: str) -> None:
        """A line on standard error; command lines in it begin with the name that this program goes by."""
        self.passing("")
        text = as_program(text, self.program)
        print(printable(text), file=self._stderr)

    def watched_by(self) -> str | None:
        """Who reads standard error as it comes: a `terminal`, a `log` (a file), or nobody (None), as in a pipe."""
        if self.quiet:
            return None
        import os
        import stat

        if self._stderr.isatty():
            return "log" if os.environ.get("TERM") == "dumb" else "terminal"
        try:
            mode = os.fstat(self._stderr.fileno()).st_mode
        except (OSError, ValueError):  # it is no file at all
            return None
        return "log" if stat.S_ISREG(mode) else None

    def passing(self, text: str) -> None:
        """A line on the terminal in the place of the last such line; empty to take that away."""
        if text or self._passing:
            self._passing = bool(text)
            self._stderr.write(f"\r\x1b[K{printable(text)}")
            self._stderr.flush()

    def warn(self, text: str) -> None:
        """A warning."""
        self.warned = True
        self._complain(f"Warning: {text}")

    def note(self, text: str) -> None:
        """Something worth knowing that is not the answer; not printed with `--quiet`."""
        if not self.quiet:
            self._complain(text)

    def detail(self, text: str) -> None:
        """A line that explains the error or warning before it."""
        self._complain(f"  {text}")

    def error(self, error: Nv2Error) -> None:
        """An error on one line, then its hint."""
        self._complain(f"Error: {error}")
        self.hint(error.hint)

    def hint(self, text: str | None) -> None:
        """Advice, if there is any."""
        if text:
            self._complain(f"hint: {text}")

    def ask(self, prompt: str, read: Callable[[], str] | None = None) -> str | None:
        """A line from standard input after `prompt`; None at its end."""
        self.raw(prompt)
        self._stdout.flush()
        found = (read or sys.stdin.readline)()
        return found.rstrip("\r\n") if found else None

    def confirm(self, question: str, flag: str) -> bool:
        """Whether the caller says yes to `question [y/N]`, which `flag` would have answered.

        Raises `UsageError` at the end of input, so that no script goes on without what it asked for; under the
        name `notation` that is a silent no.
        """
        answer = self.ask(f"{question} [y/N] ")
        if answer is None and self.program != "notation":
            self.line()
            raise UsageError("nobody answered, and nothing was changed", hint=f"--{flag} needs no answer")
        if answer is None:
            return False
        if answer.strip().lower() in ("y", "yes"):
            return True
        self.line("Operation cancelled.")
        return False

    def flush(self) -> None:
        """Write out what is buffered; raises `OSError` when that fails."""
        self._stdout.flush()
        self._stderr.flush()


def error_document(error: Nv2Error) -> dict[str, Any]:
    """An error as JSON: `kind`, `message`, and `at`, `side` and `hint` where there are any."""
    found = {
        "kind": type(error).__name__,
        "message": error.message,
        "at": error.at,
        "side": error.side,
        "hint": error.hint,
    }
    return {key: value for key, value in found.items() if value is not None}
