"""`backprop.check`: the protocol, differences, the search for a diagnosis, the report."""
