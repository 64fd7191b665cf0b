"""The server that computes a job's model: asked before any row is read, and held to its answer."""

from dataclasses import replace

from configs.errors import JobError
from configs.job import AnyJob
from configs.server import Remote, Server, check_address
from model_zoo.package.card import ModelCard, RemoteModel
from model_zoo.remote.calls import Calls
from model_zoo.remote.card_match import refuse_other_model
from model_zoo.remote.client import Description
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target, Tls, TokenSource
from pipelines.planning.served import Served

# What of a job's model names a server's.
_OF_REMOTE = {"protocol", "url", "name", "version", "server"}


def find_server(job: AnyJob, card: ModelCard, remote: RemoteModel) -> Served:
    """Return the server that computes a package, once it says what the package does.

    Args:
        job: the job, which may name another address.
        card: of its package.
        remote: what the card says of the server.

    Raises:
        JobError: the job does not say that a server may have its rows, or asks for what a server does
            not do.
        ModelError: the server has another model, or another version.
        ServerError: it does not answer.
    """
    refuse_settings(job, job.model.url or remote.url)
    target = make_target(job, remote)
    try:
        check_address(target.protocol, target.url)
    except ValueError as error:
        raise JobError(f"model.{error}") from error
    described = ask_server(target)
    refuse_other_model(card, target, described)
    return _hold(job, target, described)


def find_direct_server(job: AnyJob) -> tuple[Served, Description]:
    """Return the server that a job without a package names, and what it says of the model.

    Raises:
        JobError: the job asks for what a server does not do.
        Refusal: the server does not answer.
    """
    fields = job.model.model_dump(include=_OF_REMOTE)
    named = Remote.model_validate(fields)
    refuse_settings(job, named.url)
    target = target_of(named.protocol, named.url, named.name, named.version, named.server)
    described = ask_server(target)
    return _hold(job, target, described), described


def make_target(job: AnyJob, remote: RemoteModel) -> Target:
    """Return where a job reaches a server's model.

    Args:
        job: the job, which may name another address.
        remote: the model, as a card names it.
    """
    model = job.model
    return target_of(
        protocol=model.protocol or remote.protocol,
        url=model.url or remote.url,
        name=remote.name,
        version=remote.version,
        server=model.server,
    )


def target_of(
    protocol: str,
    url: str,
    name: str,
    version: str | None,
    server: Server,
) -> Target:
    """Return a target of plain fields.

    Args:
        protocol: how the server is spoken to.
        url: its address.
        name: of the model there.
        version: of the model there; None for whichever answers.
        server: how it is reached.
    """
    token = None
    if server.token_variable is not None or server.token_file is not None:
        token = TokenSource(server.token_variable, server.token_file)
    return Target(
        protocol=protocol,
        url=url,
        name=name,
        version=version,
        tls=Tls(server.ca, server.certificate, server.key),
        token=token,
        deadline_seconds=server.deadline_seconds,
        patience_seconds=server.patience_seconds,
    )


def ask_server(target: Target) -> Description:
    """Return what a server says of a model.

    Raises:
        Refusal: it does not answer, or not so.
    """
    client = connect(target)
    try:
        return Calls(client, target).describe()
    finally:
        client.close()


def _hold(job: AnyJob, target: Target, described: Description) -> Served:
    # From here on this version, also where nobody has named one.
    pinned = replace(target, version=described.model_version or None)
    return Served(
        target=pinned,
        server=described.server,
        most_rows=described.most_rows,
        max_in_flight=job.model.server.max_in_flight,
    )


def refuse_settings(job: AnyJob, url: str) -> None:
    """Refuse what a server does not do, and to send it rows where the job does not say so.

    Args:
        job: the job.
        url: of the server.

    Raises:
        JobError: the first such thing.
    """
    model = job.model
    # A package that somebody else made must not be able to send rows away by itself.
    if model.engine != "remote":
        raise JobError(
            f"model.package {model.package}: a server computes it, {url}, and would be sent the "
            "rows; set model.engine to remote to allow that"
        )
    if model.device not in ("cpu", "auto"):
        raise JobError(
            f"model.device {model.device}: a server computes the model; leave the device out"
        )
    server = model.server
    longest = server.patience_seconds + server.deadline_seconds
    # Else the run would end as for a model that hangs, and not for what the server did.
    if longest >= model.timeout_seconds:
        raise JobError(
            f"model.timeout_seconds {model.timeout_seconds:g}: must be more than "
            f"server.patience_seconds and server.deadline_seconds together, {longest:g}; raise it"
        )
    if model.dtype != "float32":
        raise JobError(
            f"model.dtype {model.dtype}: a server computes in the model's own types; "
            "leave the dtype out"
        )
