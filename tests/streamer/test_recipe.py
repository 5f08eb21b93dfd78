"""Which paintings the settings ask for, and how much of each."""

import pytest

from streamer.paint import Hot
from streamer.recipe import names, recipe, renamed


@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ({}, {"a": 1}),
        ({"blend": "b", "blend_weight": 0.25}, {"a": 0.75, "b": 0.25}),
        ({"blend": "b", "blend_weight": 0}, {"a": 1}),
        ({"blend": "b", "blend_weight": 1}, {"b": 1}),
        ({"mix": ["c=1"]}, {"a": 0.5, "c": 0.5}),
        ({"mix": ["c=0.5", "d=0.5"]}, {"a": 0.5, "c": 0.25, "d": 0.25}),
        ({"blend": "b", "blend_weight": 0.5, "mix": ["c=1"]}, {"a": 0.25, "b": 0.25, "c": 0.5}),
        ({"mix": ["a=1"]}, {"a": 1}),
        ({"mix": ["c=1", "c=2"]}, {"a": 0.25, "c": 0.75}),
        ({"mix": ["x=y.png=1"]}, {"a": 0.5, "x=y.png": 0.5}),
    ],
)
def test_the_first_and_its_blend_weigh_one_and_each_further_painting_its_weight(
    settings: dict[str, object], shares: dict[str, float]
) -> None:
    assert recipe(Hot.model_validate({"style": "a", **settings})) == pytest.approx(shares)


def test_a_blend_alone_has_exactly_its_weight() -> None:
    for percent in range(1, 100):
        weight = percent / 100
        found = recipe(Hot(style="a", blend="b", blend_weight=weight))
        assert found["b"] == pytest.approx(weight, abs=1e-15)


def test_paintings_are_told_and_renamed_in_every_setting_that_names_some() -> None:
    hot = Hot.model_validate({"style": "a", "blend": "b", "mix": ["/x/c=1.png=0.5", "d=2"]})
    assert [names(value) for value in (hot.style, hot.blend, hot.mix, None)] == [
        ("a",),
        ("b",),
        ("/x/c=1.png", "d"),
        (),
    ]
    found = [renamed(value, str.upper) for value in (hot.style, hot.blend, hot.mix, None, ())]
    assert found == ["A", "B", ("/X/C=1.PNG=0.5", "D=2"), None, ()]


@pytest.mark.parametrize("mix", [["storm"], ["storm=0"], ["storm=-1"], ["storm=1e9"], ["=1"], ["a=1"] * 9, [3]])
def test_a_mix_that_is_none_is_refused(mix: list[object]) -> None:
    with pytest.raises(ValueError, match="mix"):
        Hot.model_validate({"mix": mix})
