"""Which libraries' networks a model card may name, without what builds them.

Apart from that, which imports torch: a run is planned, and one that is published found, by names alone.
"""

# By the name before the colon, the extra of this program that brings the library.
EXTRAS = {
    "sentence_transformers": "transformers",
    "timm": "timm",
    "torch_geometric": "torch_geometric",
    "torchvision": "images",
    "transformers": "transformers",
}


def is_of_library(name: str) -> bool:
    """Tell whether a network's name is `library:name` of a library that is known.

    >>> is_of_library("torchvision:resnet50"), is_of_library("my_nets:Net"), is_of_library("mlp")
    (True, False, False)
    """
    library, colon, _ = name.partition(":")
    return bool(colon) and library in EXTRAS


def is_of_graphs(name: str) -> bool:
    """Tell whether a library's network takes graphs."""
    return name.startswith("torch_geometric:")


def find_distribution(name: str) -> str | None:
    """Return the installed package that a network comes from; None for networks of no library.

    >>> find_distribution("sentence_transformers:BertModel"), find_distribution("mlp")
    ('transformers', None)
    """
    if not is_of_library(name):
        return None
    library, _, _ = name.partition(":")
    # Its encoders are built with transformers alone.
    if library == "sentence_transformers":
        return "transformers"
    return library
