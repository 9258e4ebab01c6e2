from pocketdet.train.early_stopping import has_stopped_improving, last_is_best, scores


def history(*values):
    return [{"epoch": n, **({} if v is None else {"ap": v})} for n, v in enumerate(values)]


def test_only_a_better_last_evaluation_is_the_best():
    assert last_is_best(history(0.0))
    assert last_is_best(history(0.1, None, 0.2))
    assert not last_is_best(history(0.1, 0.2, 0.2))
    assert not last_is_best(history(0.1, None))
    assert not last_is_best([])


def test_patience_counts_evaluations_and_not_epochs():
    worse = history(0.3, None, 0.2, None, 0.3, None)
    assert not has_stopped_improving(worse, patience=3)
    assert has_stopped_improving(worse, patience=2)
    assert not has_stopped_improving(history(0.3, 0.2, 0.4), patience=2)
    assert not has_stopped_improving(worse, patience=None)


def test_an_evaluation_with_nothing_to_score_counts_as_none():
    assert scores(history(float("nan"), 0.2)) == [0.0, 0.2]
