"""A Hugging Face folder -> a packaging job that says it all: network, weights, steps, labels, activation.

    config.json                    class and sizes of the network, its labels
    model.safetensors              weights
    tokenizer.json                 of texts
    preprocessor_config.json       of pictures
    modules.json, 1_Pooling/       of a sentence encoder, as sentence-transformers saves it

The library itself reads the weights, whatever names an older version gave them. Nothing is fetched,
and no code that lies in the folder is run. What was made of the folder is then compared with what
the library makes of it, on the sample (check.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import torch

from configs.errors import JobError
from configs.fields import Fields, Names
from configs.packaging import PackagingJob
from model_zoo.architectures.libraries import import_transformers
from model_zoo.architectures.library_parameters import check_parameters, is_refused
from model_zoo.architectures.sentence_pooling import POOLINGS
from model_zoo.architectures.transformers_networks import leave_out_pooler, list_fields
from model_zoo.steps.table import AnyStep
from pipelines.packing.hugging_face.inputs import find_longest, make_image_step, make_tokenize_step
from pipelines.packing.networks.state import Weights

Job: TypeAlias = PackagingJob[AnyStep]

Activation: TypeAlias = Literal["sigmoid", "softmax", "none"]
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
_SHOWN_CHARACTERS = 300


class _Scored(NamedTuple):
    """What makes scores of the outputs, and the labels of those.

    Attributes:
        activation: as in the packaging job.
        labels: in the order of the outputs; none where they have no names.
        notes: why, in words.
    """

    activation: Activation
    labels: Names = ()
    notes: Names = ()


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
    notes: Names


def read_folder(job: Job) -> Folder:
    """Read the folder that the job names.

    Raises:
        JobError: it is not there, holds another kind of model, or something must be said; all of it.
        ModelError: its network is not taken, or its config would have something fetched or run.
    """
    path = Path(str(job.huggingface))
    config = _read_json(path, _CONFIG)
    name = _find_class(path, config)
    # Before anything is loaded: a config may have something fetched or run.
    check_parameters(f"transformers:{name}", _leave_out_places(config))
    _find_files(job, path)

    library = import_transformers()
    known = list_fields(library, name)
    encoder = _read_sentence_encoder(path)
    options = {} if encoder is None else leave_out_pooler(getattr(library, name))
    native = _load(library, path, name, options)

    network = f"transformers:{name}"
    as_read = native.config
    parameters = _take_parameters(as_read.to_dict(), known)
    if encoder is not None:
        network = f"sentence_transformers:{name}"
        parameters = {"config": parameters, **encoder}
    scored = _find_activation(job, config, name, as_read)
    step = _make_step(job, path, as_read)
    column = job.text or job.image
    changes = {
        "name": job.name or path.resolve().name.lower(),
        "network": network,
        "parameters": parameters,
        "columns": job.columns or (column,),
        "preprocess": (step, *job.preprocess),
        "activation": scored.activation,
        "task": job.task or _find_task(config, name),
        "labels": job.labels or scored.labels,
    }
    return Folder(
        path,
        job=job.model_copy(update=changes),
        weights=Weights(native.state_dict(), ()),
        native=native,
        notes=scored.notes,
    )


def _find_class(path: Path, config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    if isinstance(names, list) and len(names) == 1:
        (name,) = names
        if isinstance(name, str):
            return name
    raise JobError(
        f"huggingface {path}: {_CONFIG} must name the network's class in architectures; "
        "save the model with save_pretrained"
    )


def _find_files(job: Job, path: Path) -> None:
    """Refuse a folder that lacks files, naming all of them."""
    of_inputs = "preprocessor_config.json" if job.text is None else "tokenizer.json"
    needed = [_WEIGHTS, of_inputs]
    missing = [name for name in needed if not (path / name).is_file()]
    if missing:
        lacking = " and no ".join(missing)
        raise JobError(
            f"huggingface {path}: has no {lacking}; save model and tokenizer "
            "(or image processor) with save_pretrained of a recent transformers"
        )


def _leave_out_places(config: Fields) -> Fields:
    """Return a config without where it came from, which the library writes into every one."""
    return {name: value for name, value in config.items() if name != "_name_or_path"}


def _take_parameters(
    config: Mapping[str, Any],
    known: set[str],
) -> Fields:
    """Return what says how the network is built, as YAML holds it."""
    taken: Fields = {}
    for name, value in config.items():
        is_of_network = name in known and name not in _NOT_OF_THE_NETWORK
        if is_of_network and not is_refused(name):
            taken[name] = value
    labels = config["id2label"]
    # Names by number, which YAML and JSON write differently.
    taken["id2label"] = {str(number): text for number, text in labels.items()}
    # There and back makes lists of tuples.
    written = json.dumps(taken)
    plain: Fields = json.loads(written)
    return plain


def _load(
    library: Any,
    path: Path,
    name: str,
    options: Mapping[str, bool],
) -> Any:
    """Return the library's own network, with its weights and ready to score.

    Args:
        library: transformers.
        path: of the folder.
        name: of the network's class.
        options: for the class alone.

    Raises:
        JobError: the file lacks weights, which the library would draw at random.
    """
    library.utils.logging.disable_progress_bar()
    # What is missing is said below, in one line.
    logging.getLogger("transformers").setLevel(logging.ERROR)
    network_class = getattr(library, name)
    try:
        network, report = network_class.from_pretrained(
            str(path),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,
            **options,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        words = str(error).split()
        line = " ".join(words)
        reason = line[:_SHOWN_CHARACTERS]
        raise JobError(f"huggingface {path}: transformers cannot load it: {reason}") from error
    missing = sorted(report["missing_keys"])
    if missing or report["mismatched_keys"]:
        count = len(missing)
        first = missing[:1]
        raise JobError(
            f"huggingface {path}: {_WEIGHTS} lacks {count} weights of {name}, the first "
            f"{first}; it is the file of another network"
        )
    return network.eval()


def _find_activation(
    job: Job,
    written: Mapping[str, Any],
    name: str,
    config: Any,
) -> _Scored:
    """Return what makes scores of the outputs, as the library's own pipelines do.

    Args:
        job: may say it itself.
        written: the config, as it stands in the folder.
        name: of the network's class.
        config: as the library read it.
    """
    names = config.id2label
    in_order = [str(names[number]) for number in sorted(names)]
    labels = tuple(in_order)
    if job.activation == "none":
        return _Scored("none")
    if job.activation is not None:
        return _Scored(job.activation, _fit_labels(labels))
    if name.endswith("ForTokenClassification"):
        return _Scored("softmax", labels)
    if not name.endswith("Classification"):
        return _Scored("none")
    problem = written.get("problem_type")
    if problem == "regression":
        note = "problem_type is regression: scores as they are"
        return _Scored("none", notes=(note,))
    if problem == "multi_label_classification":
        note = "problem_type is multi-label: a text has every label from its threshold on"
        return _Scored("sigmoid", _fit_labels(labels), (note,))
    if config.num_labels == 1:
        raise JobError(
            "activation is needed: the model has one label and its config no problem_type; "
            "--activation none (regression) or sigmoid (a logit)"
        )
    return _Scored("softmax", labels)


def _find_task(written: Mapping[str, Any], name: str) -> str | None:
    """Return what activation and shape do not tell."""
    if written.get("problem_type") == "regression":
        return "regression"
    if name.endswith("Classification"):
        return None
    # An encoder: sentences' vectors, or tokens'.
    return "embedding"


def _fit_labels(labels: Names) -> Names:
    """Return labels of several classes; the name of a single logit is not that of two classes."""
    return labels if len(labels) > 1 else ()


def _make_step(job: Job, path: Path, config: Any) -> AnyStep:
    if job.image is not None:
        settings = _read_json(path, "preprocessor_config.json")
        return make_image_step(str(path), job.image, settings)
    sentence = _read_optional(path, "sentence_bert_config.json")
    tokenizer = _read_optional(path, "tokenizer_config.json")
    longest = find_longest(config, tokenizer, sentence)
    file = path / "tokenizer.json"
    content = file.read_text(encoding="utf-8")
    if sentence.get("do_lower_case"):
        raise JobError(f"huggingface {path}: do_lower_case is not taken; lower the texts in a step")
    return make_tokenize_step(
        str(path),
        column=str(job.text),
        content=content,
        longest=longest,
        settings=tokenizer,
    )


def _read_sentence_encoder(path: Path) -> Fields | None:
    """Return what sentence-transformers does behind the network; None for a folder of another kind."""
    file = path / _MODULES
    if not file.is_file():
        return None
    text = file.read_text(encoding="utf-8")
    kinds = []
    for module in json.loads(text):
        # As sentence_transformers.models.Pooling.
        full_name = str(module.get("type"))
        _, _, kind = full_name.rpartition(".")
        kinds.append(kind)
    all_of_them = list(_SENTENCE_MODULES)
    if kinds not in (all_of_them, all_of_them[:2]):
        raise JobError(
            f"huggingface {path}: {_MODULES} lists {kinds}; taken are {all_of_them}, "
            "the last one or not"
        )
    prompts = _read_optional(path, _PROMPTS)
    if prompts.get("default_prompt_name"):
        raise JobError(
            f"huggingface {path}: {_PROMPTS} puts a prompt before every text (default_prompt_name); "
            "put it there in a step, and take the name out of that file"
        )
    # The last of the modules is the one that may be left out.
    has_all = len(kinds) == len(_SENTENCE_MODULES)
    parameters: Fields = {"normalise": has_all}
    poolings = _find_poolings(path)
    # The mean is what a card means that says nothing.
    if poolings != ["mean"]:
        parameters["pooling"] = poolings
    return parameters


def _find_poolings(path: Path) -> list[str]:
    """Return the library's words for how a text's token vectors become one."""
    pooling = _read_json(path, _POOLING)
    # Newer versions say it in one field, a word or several; older ones each by a field of its own.
    named = pooling.get("pooling_mode")
    if named is None:
        named = _list_old_poolings(pooling)
    if isinstance(named, str):
        named = [named]
    unknown = [name for name in named if name not in POOLINGS]
    if unknown or not named:
        said = unknown or "no mode"
        taken = ", ".join(POOLINGS)
        raise JobError(f"huggingface {path}: {_POOLING} says {said}; taken are {taken}")
    # In the library's order, whatever that of the fields is.
    return [name for name in POOLINGS if name in named]


def _list_old_poolings(pooling: Fields) -> list[str]:
    """Return the words of the fields that are true, as newer versions say them."""
    named = []
    for field, value in pooling.items():
        if not value or not field.startswith(_MODE):
            continue
        # pooling_mode_cls_token, pooling_mode_mean_tokens
        word = field.removeprefix(_MODE)
        word = word.removesuffix("_token")
        word = word.removesuffix("_tokens")
        name = _LONG_NAMES.get(word, word)
        named.append(name)
    return named


def _read_json(path: Path, name: str) -> Fields:
    file = path / name
    try:
        text = file.read_text(encoding="utf-8")
        fields = json.loads(text)
    except (OSError, ValueError) as error:
        raise JobError(f"huggingface {path}: {name} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise JobError(f"huggingface {path}: {name} holds no fields")
    return fields


def _read_optional(path: Path, name: str) -> Fields:
    file = path / name
    if not file.is_file():
        return {}
    return _read_json(path, name)
