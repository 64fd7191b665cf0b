"""Packaging: what is installed, and with what. Exact versions with hashes are in the locks, which `make lock` writes."""

from setuptools import find_packages, setup

# A room may be of any depth; tests, samples and deploy stay outside.
ROOMS = ["configs", "model_zoo", "pipelines", "storage", "transforms"]

RUNTIME = [
    "apache-beam>=2.77,<2.78",
    # Reads Avro; Beam needs it, too.
    "fastavro>=1.13,<2",
    "fsspec>=2026.9",
    # With protobuf and urllib3, speaks to servers that hold a model; Beam needs all three, too.
    "grpcio>=1.76,<2",
    # Fills in the pages of reports; torch needs it, too.
    "jinja2>=3.1",
    "numpy>=2.4,<3",
    "pandas>=3.1,<4",
    "pillow>=12,<13",
    "pyarrow>=25.0.1,<26",
    "prometheus-client>=0.22",
    "protobuf>=6.33,<7",
    "pydantic>=2.14,<3",
    "pyyaml>=6,<7",
    "safetensors>=0.6",
    "scikit-learn>=1.9,<2",
    # scikit-learn needs it, too.
    "scipy>=1.17,<2",
    "tenacity>=9,<10",
    "torch>=2.13,<2.14",
    "tqdm>=4.67,<5",
    "urllib3>=2.6,<3",
]
S3 = ["s3fs>=2026.9"]
GCS = ["gcsfs>=2026.9"]
DATAFLOW = ["apache-beam[gcp]>=2.77,<2.78", *GCS]
IMAGES = ["torchvision>=0.28,<0.29"]
TEXTS = ["tokenizers>=0.22"]
TIMM = [*IMAGES, "timm>=1.0.31,<1.1"]
# Networks of graphs; it needs no compiled companions (torch_scatter and the like).
TORCH_GEOMETRIC = ["torch-geometric>=2.8.1,<2.9"]
TRANSFORMERS = [*IMAGES, *TEXTS, "transformers>=5.24,<6"]
# What scores an ONNX graph, and what makes one of a network when it is packed, which is small beside it:
# whoever has the engine has graphs for it.
ONNX = ["onnx>=1.23,<1.24", "onnxruntime>=1.32,<1.33", "onnxscript>=0.7,<0.8"]
# Engines of other libraries; OpenVINO quantises an ONNX graph with nncf, on rows of the job's own.
OPENVINO = [*ONNX, "nncf>=3.4,<3.5", "openvino>=2026.4.1,<2026.5"]
KERAS = ["keras>=3.15.1,<3.16"]
# Newer ones of backports.strenum are for Pythons older than ours.
LITERT = ["ai-edge-litert>=2.3,<2.4", "backports.strenum<1.3"]
TREES = [*ONNX, "lightgbm>=4.7,<5", "xgboost-cpu>=3.2,<3.3"]
SKLEARN = [*ONNX, "skl2onnx>=1.20,<1.21", "skops>=0.16,<0.17"]
# Draws the pictures of reports: of a training's, and of a run's.
REPORT = ["matplotlib>=3.10,<4"]
# And varies pictures in training.
TRAIN = [*IMAGES, *REPORT]
# Tables as input; a Delta table's log needs no library.
ICEBERG = ["pyiceberg>=0.12,<0.13"]
# Writes and reads the JSON of servers that hold a model.
REMOTE = ["orjson>=3.11,<4"]
EXTRAS = {
    "report": REPORT,
    "train": TRAIN,
    "images": IMAGES,
    "texts": TEXTS,
    "timm": TIMM,
    "torch_geometric": TORCH_GEOMETRIC,
    "transformers": TRANSFORMERS,
    "onnx": ONNX,
    "openvino": OPENVINO,
    "keras": KERAS,
    "litert": LITERT,
    "sklearn": SKLEARN,
    "trees": TREES,
    "benchmarks": [
        "daft>=0.7,<0.8",
        "duckdb>=1.4",
        "polars>=1.30",
        "psutil>=7",
        "pyspark>=4.1,<5",
        "ray[data]>=2.55,<3",
        *TRANSFORMERS,
    ],
    "iceberg": ICEBERG,
    "remote": REMOTE,
    "s3": S3,
    "gcs": GCS,
    "dataflow": DATAFLOW,
    "test": [
        *S3,
        *DATAFLOW,
        *IMAGES,
        *TEXTS,
        *TIMM,
        *TRANSFORMERS,
        *SKLEARN,
        *TREES,
        *OPENVINO,
        *KERAS,
        *LITERT,
        *TORCH_GEOMETRIC,
        *TRAIN,
        *ICEBERG,
        *REMOTE,
        # What our reading of Delta's log is compared with.
        "deltalake>=1.6.6,<1.7",
        # Tests write their tables through a catalog of one file.
        "pyiceberg[sql-sqlite]",
        "coverage>=7.10,<8",
        "duckdb>=1.4",
        "gcp-storage-emulator>=2026.7",
        "hypothesis>=6.150,<7",
        "moto[server]>=5.2,<6",
        "mypy>=2.4,<3",
        "pandas-stubs",
        "polars>=1.30",
        "psutil>=7",
        "pytest>=9,<10",
        "ruff>=0.14",
        "types-pyyaml",
        "types-tqdm",
    ],
}

setup(
    name="columnar-batch-prediction",
    version="0.1.0",
    description="Offline batch prediction on Apache Beam: columnar, every row accounted for, published whole or not at all.",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=[*ROOMS, *(f"{room}.*" for room in ROOMS)]),
    install_requires=RUNTIME,
    extras_require=EXTRAS,
)
