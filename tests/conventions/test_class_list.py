import pytest

from pocketdet.conventions import ClassList


def test_a_label_is_a_place_in_the_list() -> None:
    classes = ClassList.of(["zebra", "ant"])
    assert [classes[label] for label in range(len(classes))] == list(classes)
    assert [classes.label_of(name) for name in classes] == [0, 1]
    assert "ant" in classes
    assert "bee" not in classes


def test_mistakes_are_clear_errors() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        ClassList.of([])
    with pytest.raises(ValueError, match="ant stands there twice"):
        ClassList.of(["ant", "bee", "ant"])
    with pytest.raises(ValueError, match="Did you mean `zebra`"):
        ClassList.of(["zebra", "ant"]).label_of("zebar")
    with pytest.raises(ValueError, match="must be at least 1"):
        ClassList.numbered(0)
