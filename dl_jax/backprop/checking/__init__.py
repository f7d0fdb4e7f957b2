"""What `backprop.check` is made of: the protocol, differences, the search for a diagnosis."""
