"""Mail by SMTP, through the operator's own server."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal

from api.senders.sending import SendFailed
from grids.outbox import Sending

__all__ = ["MailSender"]

SECONDS = 5.0  # for each step of the conversation

Security = Literal["starttls", "tls", "none"]


class MailSender:
    """Hands each sending to one SMTP server, in a conversation of its own.

    The key is the local part of the Message-ID, so that mail programs show a repeat once.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        security: Security = "starttls",
        sender: str,
        login: tuple[str, str] | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._security, self._from, self._login = security, sender, login
        self._trust = trust or ssl.create_default_context()

    def send(self, sending: Sending) -> None:
        """Send one mail. Raises `SendFailed`: final where the server says 5xx of this mail."""
        message = self._written(sending)
        try:
            with self._opened() as server:
                if self._login is not None:
                    server.login(*self._login)
                server.send_message(message, self._from, [sending.address])
        except smtplib.SMTPRecipientsRefused as refused:
            code = next((code for code, _ in refused.recipients.values()), 550)
            raise SendFailed(f"smtp_{code}", final=code >= 500) from None
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused) as refused:
            # the operator's to mend, not the reader's: worth another try
            raise SendFailed(f"smtp_{refused.smtp_code}") from None
        except smtplib.SMTPResponseException as refused:
            raise SendFailed(f"smtp_{refused.smtp_code}", final=refused.smtp_code >= 500) from None
        except TimeoutError:
            raise SendFailed("timeout") from None
        except ssl.SSLError:
            raise SendFailed("tls_failed") from None
        except (OSError, smtplib.SMTPException):
            raise SendFailed("connection_lost") from None

    def _opened(self) -> smtplib.SMTP:
        if self._security == "tls":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=SECONDS, context=self._trust)
        server = smtplib.SMTP(self._host, self._port, timeout=SECONDS)
        if self._security == "starttls":
            try:
                server.starttls(context=self._trust)
            except BaseException:
                server.close()
                raise
        return server

    def _written(self, sending: Sending) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["Subject"] = " ".join(sending.subject.split())
        message["From"] = self._from
        message["To"] = sending.address
        message["Message-ID"] = f"<{sending.key}@{self._from.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers it
        message.set_content(sending.body)
        return message
