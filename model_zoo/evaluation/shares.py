"""Figures that are shares of 1, as every report writes them."""


def render_share(share: float | None) -> str:
    """Return a share in words; None where there is nothing to have a share of.

    >>> render_share(0.98765), render_share(None)
    ('0.9877', 'undefined')
    """
    if share is None:
        return "undefined"
    return f"{share:.4f}"
