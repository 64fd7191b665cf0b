"""The flags that name a job and override its fields, alike in every program that takes one.

`load_job.py` reads the job that they name, for which it imports what a job is made of.
"""

from pipelines.cli.parser import TakesFlags

OLD_CERTIFICATE = "model.certificate is called model.tuning_report now; the old name still works"
# What runs when nothing is said of a job; it is a file of the repository.
SAMPLE = "configs/breast_cancer.yaml"


def add_job_flags(parser: TakesFlags) -> None:
    """Add the flags that `load_job` reads."""
    config = (
        "the job, one YAML file; without one, --input, --model and --output are a job, "
        f"and without these {SAMPLE} is"
    )
    add = parser.add_argument
    add("--config", metavar="FILE", help=config)
    override = "override one field: --set model.batch_rows=256"
    add("--set", action="append", default=[], metavar="KEY=VALUE", help=override)
    paths = "source.paths: file, folder or glob; may be repeated"
    add("--input", action="append", metavar="PATH", help=paths)
    add("--model", metavar="FOLDER", help="model.package")
    add("--output", metavar="FOLDER", help="sink.path")
    key = "source.key: the column that names a row"
    add("--key", metavar="COLUMN", help=key)
