"""What was drawn: a line or a bar by its label, and the labels of the legend."""


def line(ax, label):
    return next(part for part in (*ax.containers, *ax.lines) if part.get_label() == label)


def labels(ax):
    return ax.get_legend_handles_labels()[1]
