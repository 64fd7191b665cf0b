"""What a user gives to submit the sample job from a machine of their own."""

from tests.dataflow.cloud import BUCKET
from tests.dataflow.service import Service


def flags(service: Service, output: str, *more: str) -> list[str]:
    """Flags of `pipelines.score` that submit the job to the stand-in."""
    job = ("--config", f"{BUCKET}/job.yaml", "--output", f"{BUCKET}/{output}")
    place = (
        "--project=project",
        "--region=europe-west1",
        f"--temp_location={BUCKET}/{output}-temp",
        f"--dataflow_endpoint={service.address}",
    )
    return ["--runner=DataflowRunner", *job, *place, *more]
