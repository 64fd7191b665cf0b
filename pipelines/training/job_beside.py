"""The training job beside a package that is trained further on new rows.

Apart from what reads the package: a wrong job is told without torch.
"""

from configs.load import Override
from pipelines.cli.yaml_words import to_yaml
from pipelines.versions.names import resolve
from storage import files

# What the package itself says, or what belongs to it alone.
_OWN = {
    "preprocess": "null",
    "network": "{}",
    "version": "null",
    "output": "null",
    "held_out": "null",
    "refit": "false",
    # Whoever wrote the package may have written this file, too.
    "modules": "[]",
}


def find_job_beside(package: str) -> tuple[str | None, list[Override]]:
    """Return the training job beside a package, and what of it is not for the next version.

    Args:
        package: folder, or folder and name: `models/churn@champion`.

    Raises:
        ModelError: nobody has given that name.
    """
    resolved = resolve(package)
    folder = resolved.url.rstrip("/")
    # An earlier one may have gone on from yet another.
    goes_on = ("from_package", to_yaml(folder))
    beside = f"{folder}.train.yaml"
    absolute = files.to_absolute(beside)
    if not files.exists(absolute):
        return None, [goes_on]
    return beside, [*_OWN.items(), goes_on]
