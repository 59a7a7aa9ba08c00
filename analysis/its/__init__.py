"""A series and a shift in, a result out: the heart."""
