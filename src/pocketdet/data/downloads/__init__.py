"""Public data sets, fetched, checked and unpacked."""
