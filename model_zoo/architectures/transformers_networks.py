"""Networks of the library transformers, by class and config: classifiers of texts, tokens and images, encoders.

Comes in: the name of one of the library's own classes and the content of a `config.json`. Goes out: a
module with random weights. A class is taken of the families below alone: their sources were looked
through, and build what the config says without loading, fetching or choosing other networks by name.
"""

from collections.abc import Mapping, Sequence
import inspect
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn import functional

from configs.errors import ModelError
from configs.suggest import nearest
from model_zoo.architectures.sentence_pooling import POOLINGS, pool

Parameters: TypeAlias = Mapping[str, Any]

_OF_TEXTS = (
    "albert bert camembert convbert deberta deberta-v2 distilbert electra ernie mobilebert "
    "modernbert mpnet rembert roberta roberta-prelayernorm squeezebert xlm-roberta xlm-roberta-xl"
)
_OF_IMAGES = (
    "beit bit convnext convnextv2 cvt data2vec-vision deit dinov2 dinov2_with_registers "
    "efficientnet focalnet hiera levit mobilenet_v1 mobilenet_v2 mobilevit mobilevitv2 poolformer "
    "pvt pvt_v2 regnet resnet segformer swiftformer swin swinv2 vit vit_msn"
)
FAMILIES = frozenset(f"{_OF_TEXTS} {_OF_IMAGES}".split())
# The library's own tables of classes, by what they are for.
_TABLES = (
    "MODEL_MAPPING_NAMES",
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
)
# `num_labels` makes as many names, before anything is measured; sinusoids are computed number by
# number, in Python.
_REFUSED = ("num_labels", "sinusoidal_pos_embds")
# What a family's source reads of a config although its config class declares no such field: every
# DeBERTa-v3 has some of them. All are numbers, switches, and words of closed tables.
_HEADS = ("head_dim",)
_UNDECLARED = {
    "beit": _HEADS,
    "deberta": ("cls_dropout", "embedding_size", "talking_head"),
    "deberta-v2": (
        *("attention_head_size", "cls_dropout", "conv_act", "conv_groups", "conv_kernel_size"),
        *("embedding_size", "norm_rel_ebd", "position_buckets", "share_att_key"),
    ),
    "deit": _HEADS,
    "dinov2": _HEADS,
    "dinov2_with_registers": _HEADS,
    "modernbert": _HEADS,
    "vit": _HEADS,
    "vit_msn": _HEADS,
}
_POOLER = "add_pooling_layer"
_CONFIG = "config"
_NORMALISE = "normalise"
_POOLING = "pooling"
_MEAN = ("mean",)


def build_transformer(
    transformers: Any,
    name: str,
    parameters: Parameters,
    **options: bool,
) -> nn.Module:
    """Build a network of a class with random weights.

    Args:
        transformers: the library.
        name: of its class.
        parameters: content of `config.json`, of fields that the class's config has.
        options: keyword arguments of the class, which no card says.

    Raises:
        ModelError: no such class is taken, or its config has no such field.
    """
    network_class = _find_class(transformers, name)
    config_class = network_class.config_class
    known = _find_fields(config_class)
    for field in parameters:
        if field not in known:
            hint = nearest(field, sorted(known))
            raise ModelError(f"network transformers:{name} takes no parameter {field!r}{hint}")
    fields = dict(parameters)
    config = config_class.from_dict(fields)
    network: nn.Module = network_class(config, **options)
    return network


def build_encoder(transformers: Any, name: str, parameters: Parameters) -> nn.Module:
    """Build an encoder whose token vectors become one, as sentence-transformers does it.

    Args:
        transformers: the library.
        name: of its class.
        parameters: `config`, as of `build_transformer`, `normalise`, and `pooling`, by default the
            mean.

    Raises:
        ModelError: as `build_transformer`, or parameters of another kind.
    """
    config = parameters.get(_CONFIG)
    normalise = parameters.get(_NORMALISE, False)
    poolings = parameters.get(_POOLING, _MEAN)
    unknown = set(parameters) - {_CONFIG, _NORMALISE, _POOLING}
    # A text is a sequence, too: of its letters.
    is_text = isinstance(poolings, str)
    are_words = isinstance(poolings, Sequence) and not is_text
    if unknown or not isinstance(config, Mapping) or not are_words:
        raise ModelError(
            f"network sentence_transformers:{name} takes the parameters config, normalise and "
            "pooling, a list"
        )
    different = set(poolings)
    are_known = different.issubset(POOLINGS)
    # Each once: a short list of one word would make an embedding of any width.
    is_repeated = len(different) < len(poolings)
    if not poolings or is_repeated or not are_known:
        words = ", ".join(POOLINGS)
        raise ModelError(
            f"network sentence_transformers:{name}: pooling must be some of {words}, each once"
        )
    network_class = _find_class(transformers, name)
    options = leave_out_pooler(network_class)
    network = build_transformer(transformers, name, config, **options)
    return PooledTokens(network, tuple(poolings), bool(normalise))


def leave_out_pooler(network_class: Any) -> dict[str, bool]:
    """Return the arguments that leave out what follows the token vectors, and no mean needs."""
    signature = inspect.signature(network_class)
    # Not every family has one to leave out.
    if _POOLER not in signature.parameters:
        return {}
    return {_POOLER: False}


def list_fields(transformers: Any, name: str) -> set[str]:
    """Return the fields of a class's config that `build_transformer` takes.

    Args:
        transformers: the library.
        name: of its class.

    Raises:
        ModelError: no such class is taken.
    """
    network_class = _find_class(transformers, name)
    return _find_fields(network_class.config_class)


class PooledTokens(nn.Module):
    """One vector of an encoder's token vectors, without those of padding.

    Its weights have the encoder's own names.

    Args:
        network: gives `last_hidden_state` (rows, tokens, width).
        poolings: words of `POOLINGS`.
        normalise: whether a vector is divided by its length.
    """

    def __init__(
        self,
        network: nn.Module,
        poolings: Sequence[str],
        normalise: bool,
    ) -> None:
        super().__init__()
        self.network = network
        self._poolings = tuple(poolings)
        self._normalise = normalise

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        encoded = self.network(input_ids=input_ids, attention_mask=attention_mask)
        vector = pool(encoded.last_hidden_state, attention_mask, self._poolings)
        if self._normalise:
            vector = functional.normalize(vector, dim=1)
        return {"embedding": vector}

    def state_dict(self, *args: Any, **named: Any) -> Any:
        return self.network.state_dict(*args, **named)

    def load_state_dict(self, *args: Any, **named: Any) -> Any:
        return self.network.load_state_dict(*args, **named)


def _find_fields(config_class: Any) -> set[str]:
    default = config_class()
    declared = set(default.to_dict())
    undeclared = _UNDECLARED.get(config_class.model_type, ())
    known = declared.union(undeclared)
    return known.difference(_REFUSED)


def _find_class(transformers: Any, name: str) -> Any:
    known = _list_classes(transformers)
    if name not in known:
        hint = nearest(name, sorted(known))
        families = ", ".join(sorted(FAMILIES))
        raise ModelError(
            f"transformers has no network {name!r} that is taken{hint}; "
            "taken are classifiers of texts, tokens and images, and encoders, "
            f"of {families}"
        )
    return getattr(transformers, name)


def _list_classes(transformers: Any) -> set[str]:
    tables = transformers.models.auto.modeling_auto
    classes: set[str] = set()
    for table in _TABLES:
        of_families = getattr(tables, table)
        for family, names in of_families.items():
            if family not in FAMILIES:
                continue
            # One class as a text, or several: a text alone would be taken letter by letter.
            if isinstance(names, str):
                classes.add(names)
            else:
                classes.update(names)
    return classes
