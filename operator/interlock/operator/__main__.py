"""`python -m interlock.operator`: the operator with settings from the environment."""

import asyncio
import logging

from interlock.operator.service import run
from interlock.operator.settings import OperatorSettings

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run(OperatorSettings()))
