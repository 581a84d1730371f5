"""`make bench`: what the main path costs, each figure beside something measured in the same run."""
