"""The ways by which a message leaves the house, behind one small interface; which there are, the settings say."""

from __future__ import annotations

from collections.abc import Mapping

from api.senders.mail import MailSender
from api.senders.outgoing import Door
from api.senders.robots import DingTalkSender, WeComSender
from api.senders.sending import Sender, SendFailed
from api.senders.texts import TextSender
from api.senders.webhook import WebhookSender
from api.settings import Settings
from grids.rules.messages import Way

__all__ = ["Door", "SendFailed", "Sender", "door_of", "senders_of", "ways_of"]


def door_of(settings: Settings) -> Door:
    """Return the door through which people's own addresses are spoken to."""
    return Door(settings.allowed_hosts, settings.allowed_networks)


def senders_of(settings: Settings) -> Mapping[Way, Sender]:
    """Return the senders that are set up."""
    found: dict[Way, Sender] = {}
    door = door_of(settings)
    if settings.mail_host:
        found[Way.EMAIL] = MailSender(
            settings.mail_host,
            settings.mail_port,
            security=settings.mail_security,
            sender=settings.mail_from,
            login=(settings.mail_user, settings.mail_password or "") if settings.mail_user else None,
        )
    if settings.sms_url:
        found[Way.SMS] = TextSender(
            settings.sms_url,
            settings.sms_body,
            authorization=settings.sms_authorization,
            networks=settings.allowed_networks,
        )
    if settings.allowed_hosts:
        found[Way.WECOM] = WeComSender(door)
        found[Way.DINGTALK] = DingTalkSender(door)
    if settings.allowed_hosts and settings.webhook_secret:
        found[Way.WEBHOOK] = WebhookSender(door, settings.webhook_secret, public_url=settings.public_url)
    return found


def ways_of(settings: Settings) -> tuple[Way, ...]:
    """Return the ways that people may choose from."""
    return tuple(senders_of(settings))
