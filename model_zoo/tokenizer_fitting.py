"""Make the tokenizer of a `tokenize` step from training texts, by the tokenizers library."""

from collections.abc import Sequence
from typing import Any

# In this order, which gives them their numbers: padding is zeros.
_PADDING = "[PAD]"
_UNKNOWN = "[UNK]"
_FIRST = "[CLS]"
SPECIAL_TOKENS = (_PADDING, _UNKNOWN, _FIRST)


def fit_tokenizer(texts: Sequence[str], vocabulary: int) -> str:
    """Return the content of a `tokenizer.json` of byte pair encoding (Sennrich et al., 2016).

    Texts become lower case, and are cut at spaces and punctuation first. Each begins with a token
    `[CLS]`, so that none is without tokens, and a network has a place for what it finds out.

    Args:
        texts: of training.
        vocabulary: how many tokens it knows at most, single characters and special tokens among
            them; characters beyond those are unknown.
    """
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer

    tokenizer = Tokenizer(BPE(unk_token=_UNKNOWN))
    alike: list[Any] = [normalizers.NFKC(), normalizers.Lowercase()]
    tokenizer.normalizer = normalizers.Sequence(alike)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # Not WordPiece, whose trainer gives another vocabulary each time that a process is started.
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        # What is left of the vocabulary are pairs: each character in turn would take all of it.
        limit_alphabet=vocabulary // 2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    number = tokenizer.token_to_id(_FIRST)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_FIRST} $A",
        special_tokens=[(_FIRST, number)],
    )
    content: str = tokenizer.to_str()
    return content
