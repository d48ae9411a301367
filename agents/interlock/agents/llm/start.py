"""Opens the adviser that the settings ask for. Without a provider nothing is loaded, opened or written."""

from asyncio import to_thread
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from interlock.agents.cluster import Reader
from interlock.agents.llm.advice import Adviser
from interlock.agents.llm.settings import ModelSettings


@asynccontextmanager
async def advising(
    settings: ModelSettings, database_url: str, reader: Reader, *, min_confidence: float, now: Callable[[], datetime]
) -> AsyncIterator[Adviser | None]:
    """The adviser, None without a model.

    Raises:
        StoreUnavailableError: transcripts cannot be kept.
    """
    if settings.provider == "none":
        yield None
        return
    from interlock.agents.llm.consult import Consultant, endpoints  # noqa: PLC0415 - weighs a second, and the extra
    from interlock.agents.llm.transcript import Transcript  # noqa: PLC0415

    transcript = Transcript(database_url, now)
    try:
        await to_thread(transcript.open)
        yield Consultant(settings, transcript, endpoints(settings), reader, min_confidence=min_confidence, now=now)
    finally:
        transcript.close()
