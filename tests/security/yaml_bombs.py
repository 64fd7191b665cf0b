"""A few lines of YAML that stand for a billion values, call functions, or have no end."""

BOMBS = {
    "laughs": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]\n"
        for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "deep": "a: " + "[" * 10_000,
    "itself": "a: &a [*a]",
    "object": "name: !!python/object/apply:os.system ['touch canary']",
    "large": "#" * (5 << 20),
}
