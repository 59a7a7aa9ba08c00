"""The front page of the study: a card for each national shift, its pictures, the answer."""
