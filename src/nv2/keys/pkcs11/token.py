"""A token: found by the attributes of a URI, opened with a PIN, searched for one private key and for certificates.

The only module that knows python-pkcs11, which belongs to the extra `hsm`. Whatever the token refuses becomes one located
error. What this module does not do: sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nv2.errors import SigningKeyError
from nv2.keys.pkcs11.uri import Uri
from nv2.plain_text import quoted

if TYPE_CHECKING:
    import pkcs11

AskPin = Callable[[str], bytes]
"""Asked with the token's name, once, and only if the token wants a login."""

MAX_OBJECTS = 256
"""Keys or certificates looked at on a token; a chain has a handful."""

MAX_CERTIFICATE = 64 * 1024
"""Bytes of a certificate on a token."""

SHOWN = 10
"""Labels in a hint."""

_INSTALL = "install it where nv2 is: pip install python-pkcs11"
_LOCKED = "the PIN of the token is locked"
_UNLOCK = "its security officer can set a new one"

_REASONS: Mapping[str, tuple[str, str | None]] = {
    "PinIncorrect": ("the PIN is wrong", "it was tried once; a token locks after a few wrong ones"),
    "PinInvalid": ("the PIN is wrong", None),
    "PinLenRange": ("the PIN is wrong: it has an impossible length", None),
    "PinLocked": (_LOCKED, _UNLOCK),
    "PinExpired": ("the PIN of the token has expired", _UNLOCK),
    "UserPinNotInitialized": ("the token has no PIN yet", "initialize it with the tools of its maker"),
    "UserNotLoggedIn": ("the login to the token has ended", "whoever logged in first has closed its session"),
    "TokenNotPresent": ("the token is not there any more", "is it plugged in?"),
    "DeviceRemoved": ("the token was removed", "is it plugged in?"),
    "SessionCount": ("the token has too many sessions open", "end other programs that use it"),
    "MechanismInvalid": ("the token cannot sign in the way that the specification prescribes", None),
    "FunctionFailed": ("the token failed", None),
}
"""By the name of python-pkcs11's error: what happened, what to do. No text of the module's own is shown."""


@contextmanager
def located(uri: Uri) -> Iterator[None]:
    """Whatever the module raises inside becomes a `SigningKeyError` at `uri`."""
    from pkcs11.exceptions import PKCS11Error

    try:
        yield
    except PKCS11Error as e:
        name = type(e).__name__
        message, hint = _REASONS.get(name, (f"the token refused ({name})", None))
        raise SigningKeyError(message, at=str(uri), hint=hint) from None


def load_module(path: Path, uri: Uri) -> Any:
    """The module `path`, loaded and initialized. Raises `SigningKeyError`."""
    try:
        import pkcs11
    except ModuleNotFoundError:
        raise SigningKeyError(
            "keys in tokens need the package python-pkcs11", at=str(uri), hint=_INSTALL
        ) from None
    try:
        return pkcs11.lib(str(path))
    except pkcs11.exceptions.PKCS11Error:
        raise SigningKeyError(f"{path} cannot be loaded as a PKCS#11 module", at=str(uri)) from None


def find_token(module: Any, uri: Uri) -> pkcs11.Token:
    """The one token that `uri` means. Raises `SigningKeyError`."""
    with located(uri):
        tokens = list(_tokens(module))
        found = [token for token in tokens if _fits(_about(module, token), uri.where)]
    if len(found) == 1:
        return found[0]
    labels = _labels(token.label for token in (found or tokens))
    if not found:
        raise SigningKeyError(
            "there is no such token",
            at=str(uri),
            hint=f"tokens here: {labels}" if tokens else "there is none",
        )
    raise SigningKeyError(
        f"{len(found)} tokens fit", at=str(uri), hint=f"say which by token=, serial= or slot-id=: {labels}"
    )


def _tokens(module: Any) -> Iterator[pkcs11.Token]:
    import pkcs11

    for slot in islice(module.get_slots(token_present=True), MAX_OBJECTS):
        try:
            token = slot.get_token()
        except (pkcs11.exceptions.TokenNotPresent, pkcs11.exceptions.TokenNotRecognised):
            continue  # pulled out just now, or of a kind that the module does not know
        if token.flags & pkcs11.TokenFlag.TOKEN_INITIALIZED:
            yield token


def _about(module: Any, token: pkcs11.Token) -> dict[str, str]:
    """What the attributes of a URI are compared with."""
    slot = token.slot
    return {
        "token": token.label,
        "manufacturer": token.manufacturer_id,
        "serial": token.serial.decode("utf-8", "replace").strip("\0 "),
        "model": token.model,
        "slot-id": str(slot.slot_id),
        "slot-description": slot.slot_description,
        "slot-manufacturer": slot.manufacturer_id,
        "library-manufacturer": module.manufacturer_id,
        "library-description": module.library_description,
        "library-version": ".".join(map(str, module.library_version)),
    }


def _fits(about: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(about[name].rstrip() == value for name, value in wanted.items())


def open_session(token: pkcs11.Token, uri: Uri, ask_pin: AskPin) -> pkcs11.Session:
    """A session in which the token's private keys are seen; it ends with the first session of the process that logged in.

    Raises `SigningKeyError` and what `ask_pin` raises.
    """
    from pkcs11 import TokenFlag
    from pkcs11.types import PROTECTED_AUTH

    with located(uri):
        flags = token.flags
        if flags & TokenFlag.USER_PIN_LOCKED:
            raise SigningKeyError(_LOCKED, at=str(uri), hint=_UNLOCK)
        if not flags & TokenFlag.LOGIN_REQUIRED:
            return token.open()
        if flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH:
            return token.open(user_pin=PROTECTED_AUTH)  # it has a keypad of its own
        return _logged_in(token, text_of(ask_pin(f"token {token.label}"), uri))


def _logged_in(token: pkcs11.Token, pin: str) -> pkcs11.Session:
    """A session of a token to which this process may have logged in before: a login is the process's, not a session's."""
    from pkcs11.exceptions import UserAlreadyLoggedIn

    try:
        return token.open(user_pin=pin)
    except UserAlreadyLoggedIn:
        return token.open()


def text_of(pin: bytes, uri: Uri) -> str:
    """A PIN as the module wants it. Raises `SigningKeyError`."""
    try:
        return pin.decode("utf-8")
    except UnicodeDecodeError:
        raise SigningKeyError("the PIN is not UTF-8", at=str(uri)) from None


def find_key(session: pkcs11.Session, uri: Uri) -> Any:
    """The one private key that `uri` means, which may sign. Raises `SigningKeyError`."""
    from pkcs11 import Attribute, ObjectClass

    wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: uri.object, Attribute.ID: uri.id}
    with located(uri):
        found = _objects(session, {name: value for name, value in wanted.items() if value is not None})
        if len(found) != 1:
            others = found or _objects(session, {Attribute.CLASS: ObjectClass.PRIVATE_KEY})
            raise _not_one(len(found), others, uri)
        (key,) = found
        if not read(key, Attribute.SIGN):
            raise SigningKeyError(
                "the key may not sign", at=str(uri), hint="it was made without the permission (CKA_SIGN)"
            )
    return key


def _not_one(count: int, keys: list[Any], uri: Uri) -> SigningKeyError:
    from pkcs11 import Attribute

    named = _labels(
        f"{read(key, Attribute.LABEL) or ''} (id={(read(key, Attribute.ID) or b'').hex()})" for key in keys
    )
    if count:
        return SigningKeyError(
            f"{count} keys fit", at=str(uri), hint=f"say which by object= or id=%..: {named}"
        )
    return SigningKeyError(
        "there is no such key in the token",
        at=str(uri),
        hint=f"keys there: {named}" if keys else "it has none",
    )


def certificates_on(session: pkcs11.Session, uri: Uri) -> tuple[tuple[bytes, bytes], ...]:
    """The X.509 certificates of the token: CKA_ID and DER."""
    from pkcs11 import Attribute, CertificateType, ObjectClass

    with located(uri):
        found = _objects(
            session,
            {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509},
        )
        held = [(read(item, Attribute.ID) or b"", read(item, Attribute.VALUE) or b"") for item in found]
    return tuple((name, der) for name, der in held if 0 < len(der) <= MAX_CERTIFICATE)


def public_keys(session: pkcs11.Session, identifier: bytes) -> list[Any]:
    """The public keys of that CKA_ID."""
    from pkcs11 import Attribute, ObjectClass

    return _objects(session, {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: identifier})


def read(item: Any, attribute: Any) -> Any:
    """An attribute, or None where the object has none or keeps it to itself."""
    from pkcs11.exceptions import AttributeSensitive, AttributeTypeInvalid

    try:
        return item[attribute]
    except (AttributeTypeInvalid, AttributeSensitive):
        return None


def _objects(session: pkcs11.Session, wanted: Mapping[Any, Any]) -> list[Any]:
    return list(islice(session.get_objects(dict(wanted)), MAX_OBJECTS))


def _labels(labels: Iterable[str]) -> str:
    return ", ".join(quoted(label) for label in islice(labels, SHOWN))
