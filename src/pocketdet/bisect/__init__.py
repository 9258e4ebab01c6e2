"""Which change broke it: the smallest guilty sets of changes between a healthy and a faulty end."""
