"""The runs of this study, and its front page: a card for each national shift, the answer."""
