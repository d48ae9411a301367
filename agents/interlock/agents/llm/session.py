"""One consultation from what it is given to what it comes to, with whatever answers: an endpoint or a transcript."""

from interlock.agents.llm.autogen import AutoGenConversation
from interlock.agents.llm.exchange import BudgetExhaustedError, Model, ModelUnavailableError
from interlock.agents.llm.panel import Panel
from interlock.agents.llm.record import Given, Outcome
from interlock.agents.llm.settings import ModelSettings
from interlock.agents.llm.tables import ConsultationRow
from interlock.agents.llm.toolbox import Toolbox


async def hold(row: ConsultationRow, model: Model, toolbox: Toolbox) -> Outcome:
    """The consultation's outcome; where the model falls silent, why.

    Raises:
        StoreUnavailableError: something could not be kept.
    """
    given = Given.model_validate_json(row.given)
    settings = ModelSettings.model_validate_json(row.model)
    panel = Panel(
        given.evidence,
        given.diagnosis,
        toolbox,
        lambda told, runs: AutoGenConversation(told, runs, model, settings),
        version=row.prompts,
    )
    try:
        opinion = await panel.opinion()
    except (ModelUnavailableError, BudgetExhaustedError) as failure:
        return Outcome(why=str(failure), items=toolbox.found)
    return Outcome(opinion=opinion, items=toolbox.found)
