"""A password in a file: read where nobody else may read it."""

from __future__ import annotations

import os
import stat

from edge.errors import ConfigError, MissingInput

__all__ = ["read_secret"]

#: Longer than any password, and than an MQTT password may be in one line of a file.
_MAX_BYTES = 4096
#: Rights that nobody but the owner may have, except that its group may read: systemd shows the
#: files of LoadCredential= as 0440, and root:unveil-edge 0640 keeps the service from changing one.
_OTHERS = 0o037


def read_secret(path: str) -> str:
    """Read the first line of a file that only its owner and its group may read.

    Args:
        path: of the file; ``chmod 600`` makes it fit.

    Returns:
        The line without its end; never empty.

    Raises:
        MissingInput: it is not there, or not for this user.
        ConfigError: others may read it, it is no plain file, or there is no line in it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path"
        raise MissingInput(
            f"{path!r}: the password file cannot be read: {str(reason).lower()}",
            hint="name a file with one line, of mode 0600, that belongs to the service's user",
            code="secret.missing",
        ) from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError(
                f"{path}: a password file is a plain file", hint="name one", code="secret.kind"
            )
        if facts.st_mode & _OTHERS:
            raise ConfigError(
                f"{path}: others may read this password (mode {stat.S_IMODE(facts.st_mode):04o})",
                hint=f"mend it with: chmod 600 {path}",
                code="secret.mode",
            )
        content = os.read(handle, _MAX_BYTES + 1)
    finally:
        os.close(handle)
    line = content.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > _MAX_BYTES or "\0" in text:
        raise ConfigError(
            f"{path}: holds no password: one line of UTF-8, at most {_MAX_BYTES} bytes",
            hint="write the password, and nothing else, into it",
            code="secret.content",
        )
    return text
