"""Are clips through `handrefine batch` the same as one by one, at what cost, and whatever is killed meanwhile?"""
