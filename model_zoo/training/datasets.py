"""The table of data sets that training needs no file for: a new one is a function and its line below.

All are real, come with what is installed, and are Arrow tables with a unique key. Nothing is
downloaded. Ids count from 0 in the source's own order, so that a row can be found again.
"""

from collections.abc import Callable

import pyarrow as pa

from model_zoo.training.digit_sets import (
    digit_graphs,
    digit_sequences,
    digit_traits,
    digits,
    digits_and_others,
)
from model_zoo.training.table_sets import breast_cancer, diabetes, iris, linnerud, wine
from model_zoo.training.text_sets import character_names

DATASETS: dict[str, Callable[[], pa.Table]] = {
    "breast_cancer": breast_cancer,
    "character_names": character_names,
    "diabetes": diabetes,
    "digit_graphs": digit_graphs,
    "digit_sequences": digit_sequences,
    "digit_traits": digit_traits,
    "digits": digits,
    "digits_and_others": digits_and_others,
    "iris": iris,
    "linnerud": linnerud,
    "wine": wine,
}
