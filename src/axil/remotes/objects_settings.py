"""Where a bucket is and with which credentials: from settings, environment and the clouds' own files, in this order.

obstore looks at the environment itself, but only at this process's own and not in a known order: it is told all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from axil.base.light import Any, NamedTuple
from axil.errors import BadInput
from axil.remotes.base import is_key
from axil.remotes.world import Settings, World


class Bucket(NamedTuple):
    """A bucket (or container), the prefix in it, and obstore's configuration."""

    scheme: str
    name: str
    prefix: str
    url: str
    config: dict[str, Any]
    plain: bool
    """Whether its endpoint is http:// and not https://."""
    conditional: bool
    """Whether it is known to heed conditions; other services may."""
    known: bool
    """Whether credentials were found."""


def bucket_of(name: str, settings: Settings, world: World) -> Bucket:
    """The bucket of the remote `name`. Raises `BadInput` for a bad url, endpoint or profile."""
    url = str(settings["url"])
    split = urlsplit(url)
    scheme = split.scheme.lower()
    place, prefix = split.netloc, split.path.strip("/")
    problem = ""
    if "@" in place:
        problem = "credentials do not belong into a url: use axil.local.toml"
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", place):
        problem = "it names no bucket"
    elif split.query or split.fragment or (prefix and not is_key(prefix)):
        problem = "a prefix has letters, digits, `_`, `-`, `.` and `/`"
    if problem:
        shown = f"{scheme}://{place.rpartition('@')[2]}{split.path}"
        raise BadInput(f"remote {name}: cannot use the url {shown}", problem, f"write {scheme}://bucket/prefix")
    config = {"s3": _s3, "gs": _gs, "az": _az}[scheme](name, settings, world)
    endpoint = next((config[key] for key in ("endpoint", "base_url") if config.get(key)), "")
    if endpoint and not re.match(r"https?://[^/]", endpoint):
        raise BadInput(
            f"remote {name}: cannot use the endpoint {endpoint}", "it does not begin with https:// or http://"
        )
    secrets = ("access_key_id", "account_key", "sas_key", "token", "bearer_token", "application_credentials")
    return Bucket(
        scheme,
        place,
        prefix,
        f"{scheme}://{place}/{prefix}".rstrip("/"),
        {key: value for key, value in config.items() if value},
        endpoint.startswith("http://"),
        not endpoint or scheme != "s3",
        any(config.get(key) for key in secrets),
    )


def _s3(name: str, settings: Settings, world: World) -> dict[str, Any]:
    environ = world.environ
    profile: Mapping[str, str] = {}
    wanted = settings.get("profile") or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
    from_environ = bool(environ.get("AWS_ACCESS_KEY_ID")) and not settings.get("profile")
    if wanted or not from_environ:
        profile = _profile(name, wanted or "", world)
    config: dict[str, Any] = {
        "region": settings.get("region")
        or environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or profile.get("region")
        or "us-east-1",
        "endpoint": settings.get("endpoint")
        or environ.get("AWS_ENDPOINT_URL_S3")
        or environ.get("AWS_ENDPOINT_URL")
        or profile.get("endpoint_url"),
        "disable_bulk_delete": True,  # few services know it, and one object at a time is what is deleted
    }
    # Set this way, too: otherwise the environment comes before what the settings say.
    config["aws_endpoint_url_s3"] = config["endpoint"]
    if settings.get("anonymous"):
        return {**config, "skip_signature": True}
    if settings.get("access_key_id"):
        keys = (settings, "access_key_id", "secret_access_key", "session_token")
    elif from_environ:
        keys = (environ, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    elif profile.get("aws_access_key_id"):
        keys = (profile, "aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    elif set(profile) & {"sso_session", "sso_start_url", "role_arn", "credential_process", "web_identity_token_file"}:
        return {**config, "credential_provider": _boto3_provider(name, wanted or "default")}
    else:
        return config
    source, *names = keys
    found = [source.get(key) for key in names]
    return {**config, **dict(zip(("access_key_id", "secret_access_key", "session_token"), found, strict=True))}


def _profile(name: str, wanted: str, world: World) -> dict[str, str]:
    """The profile `wanted` ("": the default one) of the files ~/.aws/credentials and ~/.aws/config, united."""
    import configparser

    found: dict[str, str] = {}
    known: set[str] = set()
    files = (("AWS_CONFIG_FILE", "config", "profile "), ("AWS_SHARED_CREDENTIALS_FILE", "credentials", ""))
    for variable, file, before in files:
        path = world.environ.get(variable) or os.path.join(world.home, ".aws", file)
        if path.startswith("~/"):
            path = os.path.join(world.home, path[2:])
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            raise BadInput(f"remote {name}: cannot read {path}", str(error).split("\n")[0]) from None
        for section in (wanted or "default", f"{before}{wanted or 'default'}"):
            if parser.has_section(section):
                known.add(section)
                found.update(parser.items(section))
    if wanted and not known:
        why = f"there is no profile {wanted} in ~/.aws/credentials or ~/.aws/config"
        raise BadInput(
            f"remote {name}: cannot use the profile {wanted}", why, "run `aws configure`, or correct `profile`"
        )
    return found


def _boto3_provider(name: str, profile: str) -> Any:
    """Credentials of a profile that has to sign in or to take a role: boto3 knows how."""
    try:
        import boto3
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        why = "it signs in, takes a role or runs a program, which needs the package boto3"
        hint = "pip install boto3, or set AWS_ACCESS_KEY_ID (aws configure export-credentials --format env)"
        raise BadInput(f"remote {name}: cannot use the profile {profile}", why, hint) from None
    return Boto3CredentialProvider(boto3.session.Session(profile_name=profile))


def _gs(name: str, settings: Settings, world: World) -> dict[str, Any]:
    config: dict[str, Any] = {"base_url": settings.get("endpoint")}
    if settings.get("anonymous"):
        return {**config, "skip_signature": True}
    if settings.get("token"):
        return {**config, "bearer_token": settings["token"]}
    login = os.path.join(world.home, ".config", "gcloud", "application_default_credentials.json")
    file = world.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or (login if os.path.isfile(login) else "")
    if file and not os.path.isfile(file):
        why = "GOOGLE_APPLICATION_CREDENTIALS names it"
        raise BadInput(f"remote {name}: the file {file} does not exist", why, "correct the variable, or unset it")
    return {**config, "application_credentials": file}


def _az(name: str, settings: Settings, world: World) -> dict[str, Any]:
    environ = world.environ
    given = _connection_string(environ.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    config: dict[str, Any] = {
        "account_name": settings.get("account_name")
        or environ.get("AZURE_STORAGE_ACCOUNT_NAME")
        or environ.get("AZURE_STORAGE_ACCOUNT")
        or given.get("AccountName"),
        "endpoint": settings.get("endpoint") or environ.get("AZURE_ENDPOINT") or given.get("BlobEndpoint"),
    }
    if settings.get("anonymous"):
        return {**config, "skip_signature": True}
    if settings.get("account_key") or settings.get("sas_token") or settings.get("token"):
        config |= {"account_key": settings.get("account_key"), "sas_key": settings.get("sas_token")}
        return {**config, "token": settings.get("token")}
    key = environ.get("AZURE_STORAGE_ACCOUNT_KEY") or environ.get("AZURE_STORAGE_KEY") or given.get("AccountKey")
    sas = environ.get("AZURE_STORAGE_SAS_TOKEN") or environ.get("AZURE_STORAGE_SAS_KEY")
    config |= {"account_key": key, "sas_key": sas or given.get("SharedAccessSignature")}
    for part in ("client_id", "client_secret", "tenant_id", "federated_token_file"):
        config[part] = environ.get(f"AZURE_{part.upper()}")
    return config


def _connection_string(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if part)
    return {key: value for key, _, value in pairs}
