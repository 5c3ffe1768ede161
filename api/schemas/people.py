"""Signing in, and who one is."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import Answer, AreaCode, Body, TaskId
from grids.accounts import Signed
from grids.rules.permissions import Role
from grids.tables import Post

__all__ = ["LoginIn", "MeOut", "PostIn", "PostOut", "ScopeOut"]


class LoginIn(Body):
    """Who wants in."""

    login: str = Field(max_length=200)
    password: str = Field(max_length=1000)


class PostIn(Body):
    """The post to go on in."""

    post: TaskId = Field(strict=True)


class PostOut(Answer):
    """A post that one holds."""

    id: int
    role: Role
    title: str
    area: AreaCode | None
    department: str | None

    @classmethod
    def of(cls, post: Post) -> PostOut:
        """Return a post from its row, with its department loaded."""
        return cls(
            id=post.id,
            role=post.role,
            title=post.title,
            area=post.area_code,
            department=post.department.code if post.department else None,
        )


class ScopeOut(Answer):
    """What one may see: areas with all that lies in them, and the tasks of departments."""

    areas: list[AreaCode]
    departments: list[str]


class MeOut(Answer):
    """The person who is signed in, and the post that they act from."""

    login: str
    name: str
    unit: str
    post: PostOut
    posts: list[PostOut]
    scope: ScopeOut

    @classmethod
    def of(cls, signed: Signed, posts: list[PostOut]) -> MeOut:
        """Return who is behind a session."""
        post = PostOut.of(signed.post)
        return cls(
            login=signed.person.login,
            name=signed.person.name,
            unit=signed.actor.unit,
            post=post,
            posts=posts,
            scope=ScopeOut(
                areas=list(signed.actor.scope.areas), departments=[post.department] if post.department else []
            ),
        )
