"""Every set of one to three culprits, pairs and triples included, is found, at a bounded price."""

from itertools import combinations
from statistics import mean

from bisect_toy import Counting, Letters, change
import pytest

from pocketdet.bisect.log import Forgetful
from pocketdet.bisect.minimal import ddmin, most_judgements, smallest_guilty_set
from pocketdet.bisect.search import Search
from pocketdet.bisect.space import CannotBeMade

SEVEN, EIGHT = "abcdefg", "abcdefgh"


def found_by(space: Letters, judge: Counting) -> list[set[str]]:
    progress = Search(space, judge, memory=Forgetful()).run()
    assert progress.is_complete
    return [{c.field for c in guilty.changes} for guilty in progress.found]


@pytest.mark.parametrize("names", [SEVEN, EIGHT])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_all_sets_of_independent_culprits_are_found_one_by_one(names: str, number: int) -> None:
    costs: list[int] = []
    for culprits in combinations(names, number):
        judge = Counting(culprits)
        assert sorted(map(min, found_by(Letters(names), judge))) == list(culprits)
        costs.append(len(set(judge.asked)))
    assert max(costs) <= 1 + number * 5
    assert mean(costs) <= {1: 6.0, 2: 10.5, 3: 15.0}[number]


@pytest.mark.parametrize("names", [SEVEN, EIGHT])
@pytest.mark.parametrize("number", [2, 3])
def test_changes_that_are_faulty_only_together_are_one_set(names: str, number: int) -> None:
    for culprits in combinations(names, number):
        judge = Counting([culprits])
        assert found_by(Letters(names), judge) == [set(culprits)]
        assert len(set(judge.asked)) <= 2 + number * 5


def test_a_pair_and_a_single_culprit_are_both_found() -> None:
    for pair in combinations(SEVEN, 2):
        for single in set(SEVEN) - set(pair):
            found = found_by(Letters(SEVEN), Counting([pair, single]))
            assert sorted(map(sorted, found)) == sorted([sorted(pair), [single]])


def test_what_cannot_be_made_apart_is_not_called_faulty_and_culprits_are_found_all_the_same() -> (
    None
):
    for group in combinations(SEVEN, 2):
        for culprit in SEVEN:
            space, judge = Letters(SEVEN, together=["".join(group)]), Counting([culprit])
            (found,) = found_by(space, judge)
            assert found == ({culprit} if culprit not in group else set(group))


def test_two_culprits_beside_a_group_that_cannot_be_made_apart() -> None:
    for group in combinations(SEVEN, 3):
        outside = [name for name in SEVEN if name not in group]
        for culprits in combinations(outside, 2):
            found = found_by(Letters(SEVEN, together=["".join(group)]), Counting(culprits))
            assert sorted(map(sorted, found)) == [[c] for c in culprits]


def test_the_judgements_left_are_never_more_than_announced() -> None:
    for number in (1, 2, 3, 7):
        for culprits in combinations(SEVEN, number):
            judge = Counting(culprits)
            search = Search(Letters(SEVEN), judge, memory=Forgetful())
            asked = search.run().asked
            assert asked[-1].number <= asked[0].number + most_judgements(7)


def test_a_guilty_change_is_followed_to_its_smallest_part() -> None:
    parts = {"b": "xyz", "by": "12"}
    space, judge = Letters("abc", inside=parts), Counting([["by2"]])
    assert found_by(space, judge) == [{"by2"}]


def test_two_culprits_inside_one_change_and_one_outside_it() -> None:
    space = Letters("abc", inside={"b": "wxyz"})
    found = found_by(space, Counting([["bx"], ["bz"], ["c"]]))
    assert sorted(map(sorted, found)) == [["bx"], ["bz"], ["c"]]


def test_a_pair_across_two_changes_is_found_in_their_parts() -> None:
    space = Letters("abc", inside={"a": "xy", "c": "xyz"})
    assert found_by(space, Counting([["ay", "cx"]])) == [{"ay", "cx"}]


def test_a_sound_altered_end_is_said_to_be_sound() -> None:
    progress = Search(Letters(SEVEN), Counting([]), memory=Forgetful()).run()
    assert progress.found == []
    assert progress.ended.startswith("The altered end is not faulty")


def test_halving_asks_less_than_ddmin() -> None:
    def cost(find, culprit: str) -> int:
        asked: set[tuple[str, ...]] = set()

        def is_faulty(items):
            asked.add(items)
            return culprit in items

        assert find(tuple(EIGHT), is_faulty) == (culprit,)
        return len(asked)

    halving = [cost(smallest_guilty_set, culprit) for culprit in EIGHT]
    plain = [cost(ddmin, culprit) for culprit in EIGHT]
    assert max(halving) <= 4
    assert mean(halving) < mean(plain)


class Neck(Letters):
    """`n` is a part that was not there, taken apart into `nb` and what it brings."""

    def needed_by(self, of):
        return change("nb") if of.field in ("nx", "ny") else None

    def make(self, changes):
        names = super().make(changes)
        if names & {"nx", "ny"} and "nb" not in names:
            raise CannotBeMade("nb first")
        return names


def test_what_a_guilty_part_stands_on_is_not_guilty_with_it() -> None:
    space = Neck("abnc", inside={"n": "bxy"})
    assert found_by(space, Counting([["nx"], ["ny"], ["c"]])) == [{"nx"}, {"ny"}, {"c"}]


def test_what_stands_on_a_guilty_part_is_taken_out_with_it() -> None:
    search = Search(Neck("abnc", inside={"n": "bxy"}), Counting([["nb"]]), memory=Forgetful())
    progress = search.run()
    assert [c.field for c in progress.guilty] == ["nb"]
    assert {c.field for c in progress.left_out} == {"nx", "ny"}
    assert progress.ended.startswith("The rest is healthy")
    assert progress.found[0].judgement.is_faulty
