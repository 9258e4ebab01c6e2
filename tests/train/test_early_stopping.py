from pocketdet.train.early_stopping import best_epoch, has_stopped_improving, scores


def history(*values):
    return [{"epoch": n, **({} if v is None else {"ap": v})} for n, v in enumerate(values)]


def test_the_best_epoch_is_the_first_with_the_highest_ap():
    rows = history(0.1, None, 0.2, 0.2, float("nan"))
    assert best_epoch(rows) is rows[2]
    assert best_epoch(history(0.0))["epoch"] == 0
    assert best_epoch(history(None)) == {}
    assert best_epoch([]) == {}


def test_patience_counts_evaluations_and_not_epochs():
    worse = history(0.3, None, 0.2, None, 0.3, None)
    assert not has_stopped_improving(worse, patience=3)
    assert has_stopped_improving(worse, patience=2)
    assert not has_stopped_improving(history(0.3, 0.2, 0.4), patience=2)
    assert not has_stopped_improving(worse, patience=None)


def test_an_evaluation_with_nothing_to_score_counts_as_none():
    assert scores(history(float("nan"), 0.2)) == [0.0, 0.2]
