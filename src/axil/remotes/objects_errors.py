"""What object stores and obstore say when something fails, as errors of a remote with advice."""

from __future__ import annotations

import re

from axil.base.light import NamedTuple
from axil.errors import AxilError, BadInput
from axil.remotes.base import Absent, Denied, Unreachable
from axil.remotes.objects_settings import Bucket

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "ContainerBeingDeleted")
_REGION = 'set the remote\'s `region`, as region = "eu-west-1"'
_PASSING = (408, 409, 425, 429, 500, 502, 503, 504)
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or the keys in axil.local.toml",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or the keys in axil.local.toml",
}
_CAUSES = (
    ("ConnectionRefused", "connection refused"),
    ("failed to lookup address", "the name of the server cannot be resolved"),
    ("dns error", "the name of the server cannot be resolved"),
    ("InvalidCertificate", "the server's certificate is not trusted"),
    ("certificate", "the server's certificate is not trusted"),
    ("BadScheme", "the endpoint is not an http:// or https:// address"),
    ("RelativeUrlWithoutBase", "the endpoint is not an http:// or https:// address"),
    ("TimedOut", "timed out"),
    ("ConnectionReset", "connection reset"),
    ("IncompleteMessage", "connection closed in the middle"),
)


class Answer(NamedTuple):
    """The parts of an error: HTTP status (0: there was no answer), the service's code, words for people."""

    status: int
    code: str
    words: str

    @classmethod
    def of(cls, error: Exception) -> Answer:
        """Taken from the text of `error`: obstore has no fields for them."""
        text, _, debug = str(error).partition("\n\nDebug source")
        status = re.search(r"status code: (\d{3})([^:\n]*)", text)
        code = re.search(r"<Code>([^<]*)</Code>", text) or re.search(r'"code": ?"(\w+)"', text)
        message = re.search(r"<Message>([^<]*)</Message>", text) or re.search(r'"message": ?"([^"]*)"', text)
        if code or message:
            words = ": ".join(found[1].split("\n")[0] for found in (code, message) if found)
        elif status:
            words = f"the server answered {status[1]}{status[2]}"
        else:
            words = next((words for mark, words in _CAUSES if mark in debug), _short(text))
        return cls(int(status[1]) if status else 0, code[1] if code else "", words)


def _short(text: str) -> str:
    return text.split("\n", maxsplit=1)[0].removeprefix("Generic ")[:300]


def refused(bucket: Bucket, key: str, error: Exception) -> AxilError:
    """What to raise for `error`, which came about `key` ("" for the whole remote)."""
    answer = Answer.of(error)
    text = str(error)
    about = f"{bucket.url}/{key}" if key else bucket.url
    kind = type(error).__name__
    if answer.code in _NO_BUCKET or "bucket does not exist" in answer.words:
        return Denied(f"there is no bucket {bucket.name}", answer.words, "make the bucket, or correct the remote's url")
    if "169.254.169.254" in text or "token request" in text or "MissingAccount" in text:
        why = "no credentials were found" if "MissingAccount" not in text else "the storage account is not known"
        return Denied(f"cannot use {bucket.url}", why, _CREDENTIALS[bucket.scheme])
    if kind == "FileNotFoundError" or answer.status == 404:
        return Absent(f"{bucket.url} has no object {key}") if key else Denied(f"cannot use {about}", answer.words)
    if kind == "InvalidPathError":
        hint = "remove it from the bucket, or give the remote a prefix of its own"
        return BadInput(f"{bucket.url} holds an object whose name cannot be read", _short(text), hint)
    if kind in ("PermissionDeniedError", "UnauthenticatedError") or answer.status in (401, 403):
        return Denied(f"{about} refuses", answer.words, _advice(bucket, answer))
    if "redirect" in text or answer.status in (301, 307):
        return Denied(f"{about} refuses", "the bucket is in another region", _REGION)
    if "not an http" in answer.words:
        return Denied(f"cannot use {about}", answer.words, 'correct `endpoint`, as "https://storage.example.com"')
    if "certificate" in answer.words:
        return Denied(f"cannot use {about}", answer.words, "check `endpoint`, and this machine's certificates")
    if (answer.status and answer.status not in _PASSING) or kind == "ValueError":
        return Denied(f"{about} refuses", answer.words, _advice(bucket, answer))
    return Unreachable(f"cannot reach {about}", answer.words, "check the network and `endpoint`, and try again")


def _advice(bucket: Bucket, answer: Answer) -> str:
    if answer.code == "RequestTimeTooSkewed":
        return "this machine's clock is wrong: set it"
    if answer.code in ("ExpiredToken", "TokenRefreshRequired"):
        return "the session has ended: sign in again"
    if answer.code in ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return _REGION
    if answer.code == "AccessDenied" and bucket.known:
        return "ask for the permission to read, write, list and delete objects there"
    return _CREDENTIALS[bucket.scheme]
