"""Asking the helper: one exchange from its prompt to its end, whatever the end is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from workbench.app.panes.chat.exchange import FAILED, STOPPED, Exchange
from workbench.app.panes.chat.settings import Sampling
from workbench.app.panes.chat.source import ChatSource, typing_key
from workbench.core.errors import RunFailedError, UserError

if TYPE_CHECKING:
    from workbench.core.helper import Helper


async def ask_helper(
    helper: Helper,
    source: ChatSource,
    exchange: Exchange,
    sampling: Sampling,
    keep: Callable[[Exchange], None],
    say: Callable[[str], None],
) -> None:
    """Have an exchange answered; `keep` gets it as it grows, `say` what is under way.

    The helper loads the models where they are not loaded. Cancelling ends the answer, which is then marked as stopped;
    what goes wrong is kept as a sentence.
    """

    def heard(event: dict[str, Any]) -> None:
        nonlocal exchange
        if event.get("event") == "prompt":
            say("answering")
        elif event.get("event") == "progress" and event.get("text"):
            say(str(event["text"]))
        exchange = exchange.after(event)
        keep(exchange)

    say("loading")
    try:
        result = await helper.request(
            "chat",
            heard,
            messages=list(exchange.messages),
            sides=list(exchange.sides),
            complete=exchange.complete,
            **source.arguments,
            **asdict(sampling),
        )
        exchange = exchange.finished(result)
    except UserError as error:
        exchange = replace(exchange, state=FAILED, problem=error.sentence)
    except RunFailedError as error:
        problem = f"{error.sentence} {typing_key('chat', 'ask_again')} asks this again."
        exchange = replace(exchange, state=FAILED, problem=problem)
    finally:
        if exchange.open:
            exchange = replace(exchange, state=STOPPED)
        keep(exchange)
        say("")
