"""What can go wrong when a data set is loaded."""


class DataNotFound(FileNotFoundError):
    """No place has the data set; the message names each place and what helps."""


class DataCorrupted(ValueError):
    """A file's content is not what was published: file, expected and found digest."""


class OtherContent(DataCorrupted):
    """A file is whole, but it is the file of another published data set."""


class DataWarning(UserWarning):
    """A place had a file that is not what was published; the data set came from another."""


class CacheWarning(UserWarning):
    """The array cache could not be used; the data set was loaded all the same."""


class Unavailable(Exception):
    """One place does not have the data set; the message says why. `load` asks the next."""
