"""Ad slots of a publisher's pages → filled, counted and reported, on the publisher's own machine."""

__version__ = "0.1.0"
