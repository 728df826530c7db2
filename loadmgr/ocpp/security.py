"""What links and the API ask of the security of stations: one object per service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadmgr.certificates import Authority, LocalAuthority, SecuritySettings
from loadmgr.domain.ids import StationId
from loadmgr.ocpp import redaction
from loadmgr.ocpp.certificate_tasks import CertificateTasks
from loadmgr.ocpp.security_tasks import SecurityTasks, Shell

if TYPE_CHECKING:
    from loadmgr.ocpp.connection import Connection
    from loadmgr.ocpp.session import Incoming
    from loadmgr.ocpp.translation import Handled


class Security:
    """``tasks``: passwords, profiles and logs; ``certificates``: requests, roots and renewal."""

    def __init__(self, shell: Shell) -> None:
        self.tasks = SecurityTasks(shell)
        self.certificates = CertificateTasks(self.tasks)

    def use(self, settings: SecuritySettings, authority: Authority | None = None) -> None:
        """Take settings and whoever signs requests; before that nothing is signed and no upload is allowed.

        Without an ``authority`` it is the one of the settings, if any. Raises ``CertificateError`` for unusable files.
        """
        if authority is None and settings.ca is not None:
            authority = LocalAuthority(settings.ca, self.tasks.shell.clock.now())
        self.tasks.settings = settings
        self.certificates.authority = authority

    # -- what links tell -------------------------------------------------------------------------------------------

    def heard(self, link: Connection, call: Incoming, handled: Handled) -> None:
        """A message of a station was handled and is not answered yet."""
        self.certificates.heard(link, call, handled)

    def look_after(self, link: Connection) -> None:
        """Every few seconds: forget passwords that arrived, renew certificates that run out."""
        self.tasks.forget(link.desk.station)
        self.certificates.look_after(link)

    def frame(self, station: StationId, text: str) -> str:
        """A frame as the frame log may show it [G26]."""
        return redaction.redacted(text, self.tasks.secrets.get(station, ()))

    def words(self, link: Connection, text: str) -> str:
        """What a station said, without what it was told in secret [G26]."""
        return redaction.scrubbed(text, self.tasks.secrets.get(link.desk.station, ()))
