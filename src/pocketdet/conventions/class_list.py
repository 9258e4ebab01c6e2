"""The names of the classes, in the order of their labels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class ClassList:
    """Class names; the label of a class is its place in this list, counted from 0.

    There is no background in it. A head that needs one (SSD's softmax) adds it on its own side.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("`names` must have at least one class; got none.")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(f"`names` must be unique; {', '.join(twice)} stands there twice.")

    @classmethod
    def of(cls, names: Iterable[str]) -> "ClassList":
        return cls(tuple(str(name) for name in names))

    @classmethod
    def numbered(cls, num_classes: int) -> "ClassList":
        """Make names for a detector that is built before its data set is known."""
        if num_classes < 1:
            raise ValueError(
                "`num_classes` counts object classes without background, so it must be at "
                f"least 1; got {num_classes}."
            )
        return cls(tuple(f"class{label}" for label in range(num_classes)))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, label: int) -> str:
        return self.names[label]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def label_of(self, name: str) -> int:
        """Give the label of a class name; an unknown name raises `ValueError`."""
        if name in self.names:
            return self.names.index(name)
        close = get_close_matches(name, self.names, n=1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        raise ValueError(f"`{name}` is no class; there are {', '.join(self.names)}.{hint}")
