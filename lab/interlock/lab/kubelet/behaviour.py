"""What a container's program does in this pod: its image, its command, its variables and its limits together."""

import re

from interlock.lab.kubelet.history import Ending
from interlock.lab.kubelet.images import GENERIC, Image, millicores, quantity
from interlock.lab.kubelet.pods import Container

OOM_SECONDS = 1.0
REFUSAL_SECONDS = 0.8
TASK_SECONDS = 1.0


def program(image: Image, container: Container, *, stays: bool) -> Image:
    """The program that runs: a shell command of the container's own takes the place of the image's.

    A program of which nothing is known stays up where its pod restarts it, and completes where it is a task.
    """
    words = (*container.command, *container.args)
    if container.command and "-c" in words:
        return _shell(words[-1], stays=stays)
    if image == GENERIC and not stays:
        return Image(completes=TASK_SECONDS)
    return _throttled(image, container)


def _throttled(image: Image, container: Container) -> Image:
    """The program under its processor limit: what it needs is spread over so many more periods."""
    limit = container.resources.limits.get("cpu")
    if limit is None or not image.cpu or millicores(limit) >= image.cpu:
        return image
    times = image.cpu / max(1, millicores(limit))
    return image.model_copy(update={"starts_in": image.starts_in * times, "answers_in": image.answers_in * times})


def ending(image: Image, container: Container, variables: set[str]) -> Ending | None:
    """How the run will end by itself, None when it stays up."""
    unset = next((name for name in image.requires if name not in variables), None)
    if unset is not None:
        return Ending(REFUSAL_SECONDS, "Error", 1, image.requires[unset].log or (f"fatal: {unset} is not set",))
    if image.crash is not None:
        return Ending(image.crash.after, "Error", image.crash.exit_code, image.crash.log)
    limit = container.resources.limits.get("memory")
    if limit is not None and quantity(limit) < image.working_set:
        return Ending(OOM_SECONDS, "OOMKilled", 137)
    if limit is not None and image.grows:
        return Ending((quantity(limit) - image.working_set) / image.grows, "OOMKilled", 137)
    if image.completes is not None:
        return Ending(image.completes, "Completed", 0)
    return None


def _shell(script: str, *, stays: bool) -> Image:
    """The few words of a shell that tests and jobs use: echo, sleep and exit."""
    said = tuple(
        match[0] or match[1] or match[2] for match in re.findall(r"""echo (?:"([^"]*)"|'([^']*)'|([^;&|]+))""", script)
    )
    slept = sum(float(amount) for amount in re.findall(r"\bsleep (\d+(?:\.\d+)?)", script))
    if re.search(r"\bsleep infinity\b|\bwhile true\b|\bsleep inf\b", script):
        return Image(log=said)
    code = re.search(r"\bexit (\d+)", script)
    if code and int(code.group(1)):
        return Image.model_validate({"log": said, "crash": {"exit_code": int(code.group(1)), "after": slept + 0.5}})
    if stays and not code and not slept and not said:
        return GENERIC
    return Image(log=said, completes=slept + 0.5)
