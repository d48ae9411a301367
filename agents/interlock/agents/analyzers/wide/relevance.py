"""What has to do with what hurts: every application complains a little all the time, and none of that is news.

A complaint counts where its speaker is not well, where what it accuses or the speaker stands on the way of something
that hurts, or where hardly anything else is said.
"""

from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.speech import Line
from interlock.agents.analyzers.wide.symptoms import restarted
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef

LOUD = 0.25


def is_background(land: Landscape, line: Line, speaker: Group, accused: ObjectRef) -> bool:
    """Whether a complaint is one that nobody who hurts has to do with."""
    related = bool({speaker.ref, accused} & land.suspects)
    return is_well(land, speaker) and line.share < LOUD and not related


def is_well(land: Landscape, group: Group) -> bool:
    """Whether all of a workload's pods are ready, and none ended a moment ago."""
    return group.whole and not any(restarted(land, status) for _, status in group.statuses())
