"""A Hugging Face folder -> a packaging job that says it all: network, weights, steps, labels, activation.

    config.json                    class and sizes of the network, its labels
    model.safetensors              weights
    tokenizer.json                 of texts
    preprocessor_config.json       of pictures
    modules.json, 1_Pooling/       of a sentence encoder, as sentence-transformers saves it

The library itself reads the weights, whatever names an older version gave them. Nothing is fetched,
and no code that lies in the folder is run. What was made of the folder is then compared with what
the library makes of it, on the sample (huggingface_check.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any, TypeAlias

import torch

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.architectures.libraries import import_transformers
from model_zoo.architectures.library_parameters import check_parameters, is_refused
from model_zoo.architectures.sentence_pooling import POOLINGS
from model_zoo.architectures.transformers_networks import leave_out_pooler, list_fields
from model_zoo.steps.table import AnyStep
from pipelines.packing.hugging_face.inputs import find_longest, make_image_step, make_tokenize_step
from pipelines.packing.networks.state import Weights

Job: TypeAlias = PackagingJob[AnyStep]
Fields: TypeAlias = dict[str, Any]
_CONFIG = "config.json"
_MODULES = "modules.json"
_WEIGHTS = "model.safetensors"
_POOLING = "1_Pooling/config.json"
# Of where the weights came from, of training, and of what is asked for beside scores.
_NOT_OF_THE_NETWORK = ("dtype", "transformers_version", "output_attentions", "output_hidden_states")
_SENTENCE_MODULES = ("Transformer", "Pooling", "Normalize")
_PROMPTS = "config_sentence_transformers.json"
_MODE = "pooling_mode_"
_LONG_NAMES = {"mean_sqrt_len": "mean_sqrt_len_tokens"}


@dataclass(frozen=True)
class Folder:
    """A Hugging Face folder, read.

    Attributes:
        path: of it.
        job: the job with all that it says.
        weights: of the network, under the library's own names.
        native: the library's own network, to compare with.
        notes: what was found, in words.
    """

    path: Path
    job: Job
    weights: Weights
    native: torch.nn.Module
    notes: tuple[str, ...]


def read_folder(job: Job) -> Folder:
    """Read the folder that the job names.

    Raises:
        JobError: it is not there, holds another kind of model, or something must be said; all of it.
        ModelError: its network is not taken, or its config would have something fetched or run.
    """
    path = Path(str(job.huggingface))
    config = _read_json(path, _CONFIG)
    name = _find_class(path, config)
    check_parameters(f"transformers:{name}", _leave_out_places(config))
    _find_files(job, path)
    library = import_transformers()
    known = list_fields(library, name)
    encoder = _read_sentence_encoder(path)
    options = {} if encoder is None else leave_out_pooler(getattr(library, name))
    native, state = _load(library, path, name, options)
    parameters = _take_parameters(native.config.to_dict(), known)
    network = f"transformers:{name}"
    if encoder is not None:
        network = f"sentence_transformers:{name}"
        parameters = {"config": parameters, **encoder}
    activation, labels, notes = _find_activation(job, config, name, native.config)
    step = _make_step(job, path, native.config)
    column = job.text or job.image
    changes = {
        "name": job.name or path.resolve().name.lower(),
        "network": network,
        "parameters": parameters,
        "columns": job.columns or (column,),
        "preprocess": (step, *job.preprocess),
        "activation": activation,
        "task": job.task or _find_task(config, name),
        "labels": job.labels or labels,
    }
    return Folder(path, job.model_copy(update=changes), Weights(state, ()), native, notes)


def _find_class(path: Path, config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        raise JobError(
            f"huggingface {path}: {_CONFIG} must name the network's class in architectures; "
            "save the model with save_pretrained"
        )
    return names[0]


def _find_files(job: Job, path: Path) -> None:
    """Refuse a folder that lacks files, naming all of them."""
    needed = [_WEIGHTS, "tokenizer.json" if job.text is not None else "preprocessor_config.json"]
    missing = [name for name in needed if not (path / name).is_file()]
    if missing:
        raise JobError(
            f"huggingface {path}: has no {' and no '.join(missing)}; save model and tokenizer "
            "(or image processor) with save_pretrained of a recent transformers"
        )


def _leave_out_places(config: Fields) -> Fields:
    """Return a config without where it came from, which the library writes into every one."""
    return {name: value for name, value in config.items() if name != "_name_or_path"}


def _take_parameters(config: Mapping[str, Any], known: set[str]) -> Fields:
    """Return what says how the network is built, as YAML holds it."""
    taken: Fields = {}
    for name, value in config.items():
        if name in known and not is_refused(name) and name not in _NOT_OF_THE_NETWORK:
            taken[name] = value
    # Names by number, which YAML and JSON write differently.
    taken["id2label"] = {str(number): text for number, text in config["id2label"].items()}
    plain: Fields = json.loads(json.dumps(taken))
    return plain


def _load(
    library: Any, path: Path, name: str, options: Mapping[str, bool]
) -> tuple[Any, dict[str, torch.Tensor]]:
    """Return the library's own network, and its weights.

    Raises:
        JobError: the file lacks weights, which the library would draw at random.
    """
    library.utils.logging.disable_progress_bar()
    # What is missing is said below, in one line.
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        network, report = getattr(library, name).from_pretrained(
            str(path),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,
            **options,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise JobError(f"huggingface {path}: transformers cannot load it: {reason}") from error
    missing = sorted(report["missing_keys"])
    if missing or report["mismatched_keys"]:
        raise JobError(
            f"huggingface {path}: {_WEIGHTS} lacks {len(missing)} weights of {name}, the first "
            f"{missing[:1]}; it is the file of another network"
        )
    return network.eval(), network.state_dict()


def _find_activation(
    job: Job, written: Mapping[str, Any], name: str, config: Any
) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """Return what makes scores of the outputs as the library's own pipelines do, labels, and notes."""
    labels = tuple(str(config.id2label[number]) for number in sorted(config.id2label))
    if job.activation is not None:
        return job.activation, () if job.activation == "none" else _fit_labels(labels), ()
    if name.endswith("ForTokenClassification"):
        return "softmax", labels, ()
    if not name.endswith("Classification"):
        return "none", (), ()
    problem = written.get("problem_type")
    if problem == "regression":
        note = "problem_type is regression: scores as they are"
        return "none", (), (note,)
    if problem == "multi_label_classification":
        note = "problem_type is multi-label: a text has every label from its threshold on"
        return "sigmoid", _fit_labels(labels), (note,)
    if config.num_labels == 1:
        raise JobError(
            "activation is needed: the model has one label and its config no problem_type; "
            "--activation none (regression) or sigmoid (a logit)"
        )
    return "softmax", labels, ()


def _find_task(written: Mapping[str, Any], name: str) -> str | None:
    """Return what activation and shape do not tell."""
    if written.get("problem_type") == "regression":
        return "regression"
    # An encoder: sentences' vectors, or tokens'.
    return None if name.endswith("Classification") else "embedding"


def _fit_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return labels of several classes; the name of a single logit is not that of two classes."""
    return labels if len(labels) > 1 else ()


def _make_step(job: Job, path: Path, config: Any) -> AnyStep:
    if job.image is not None:
        settings = _read_json(path, "preprocessor_config.json")
        return make_image_step(str(path), job.image, settings)
    sentence = _read_optional(path, "sentence_bert_config.json")
    tokenizer = _read_optional(path, "tokenizer_config.json")
    longest = find_longest(config, tokenizer, sentence)
    content = (path / "tokenizer.json").read_text(encoding="utf-8")
    if sentence.get("do_lower_case"):
        raise JobError(f"huggingface {path}: do_lower_case is not taken; lower the texts in a step")
    return make_tokenize_step(str(path), str(job.text), content, longest, tokenizer)


def _read_sentence_encoder(path: Path) -> Fields | None:
    """Return what sentence-transformers does behind the network; None for a folder of another kind."""
    if not (path / _MODULES).is_file():
        return None
    modules = json.loads((path / _MODULES).read_text(encoding="utf-8"))
    kinds = [str(module.get("type")).rpartition(".")[2] for module in modules]
    if tuple(kinds) not in (_SENTENCE_MODULES, _SENTENCE_MODULES[:2]):
        raise JobError(
            f"huggingface {path}: {_MODULES} lists {kinds}; taken are {list(_SENTENCE_MODULES)}, "
            "the last one or not"
        )
    prompts = _read_optional(path, _PROMPTS)
    if prompts.get("default_prompt_name"):
        raise JobError(
            f"huggingface {path}: {_PROMPTS} puts a prompt before every text (default_prompt_name); "
            "put it there in a step, and take the name out of that file"
        )
    parameters: Fields = {"normalise": len(kinds) == len(_SENTENCE_MODULES)}
    poolings = _find_poolings(path)
    # The mean is what a card means that says nothing.
    if poolings != ["mean"]:
        parameters["pooling"] = poolings
    return parameters


def _find_poolings(path: Path) -> list[str]:
    """Return the library's words for how a text's token vectors become one."""
    pooling = _read_json(path, _POOLING)
    # Newer versions say it in one field, a word or several; older ones each by a field of its own.
    said = pooling.get("pooling_mode")
    named = [said] if isinstance(said, str) else said
    if named is None:
        fields = [name for name, value in pooling.items() if value]
        named = [
            name.removeprefix(_MODE).removesuffix("_token").removesuffix("_tokens")
            for name in fields
            if name.startswith(_MODE)
        ]
        named = [_LONG_NAMES.get(name, name) for name in named]
    unknown = [name for name in named if name not in POOLINGS]
    if unknown or not named:
        raise JobError(
            f"huggingface {path}: {_POOLING} says {unknown or 'no mode'}; "
            f"taken are {', '.join(POOLINGS)}"
        )
    # In the library's order, whatever that of the fields is.
    return [name for name in POOLINGS if name in named]


def _read_json(path: Path, name: str) -> Fields:
    try:
        fields = json.loads((path / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"huggingface {path}: {name} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise JobError(f"huggingface {path}: {name} holds no fields")
    return fields


def _read_optional(path: Path, name: str) -> Fields:
    return _read_json(path, name) if (path / name).is_file() else {}
