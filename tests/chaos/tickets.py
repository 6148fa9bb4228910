"""One ticket, two attempts at once, at nodes of their own."""

import threading
import time

from actors import LOST, Actor
from support.world import new_id
from support.ws import RawSocket


class TicketHolder(Actor):
    def step(self):
        ports = self.world.fleet.ports(self.rng)
        answer, _, _ = self.caller.ask("POST", "/api/mobile/ws-tickets")
        if ports is None or answer is None or answer.status != 201:
            time.sleep(0.1)
            return
        ticket, name = answer.data["ticket"], new_id()
        attempts = [threading.Thread(target=self.attempt, args=(ticket, name, port)) for port in ports]
        for thread in attempts:
            thread.start()
        for thread in attempts:
            thread.join()
        time.sleep(self.rng.random() * 0.1)

    def attempt(self, ticket, name, port):
        outcome = "unknown"
        try:
            RawSocket(port, path=f"/ws?ticket={ticket}").socket.close()
            outcome = "acknowledged"
        except AssertionError as error:
            outcome = "refused" if " 401 " in str(error) else "unknown"
        except LOST:
            pass
        self.rec("ticket", ticket=name, outcome=outcome)
