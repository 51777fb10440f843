"""The demo users and rooms. Titles and IDs identify them: a changed one creates a new user or room."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["ko", "en"]

PASSWORD = "honey-on-warm-paper-7"  # noqa: S105 - for demo accounts, and printed
DEMO = ("minji", "junho")


@dataclass(frozen=True)
class Person:
    webchat_id: str
    display_name: str
    status_message: str
    password: str = PASSWORD

    @property
    def email(self) -> str:
        return f"{self.webchat_id}@demo.example.org"


@dataclass(frozen=True)
class Room:
    people: tuple[str, ...]
    """The first one creates it."""
    language: Language
    messages: int
    title: str = ""
    """Empty if the room is direct."""

    @property
    def key(self) -> str:
        return self.title or "+".join(self.people)


PEOPLE = (
    Person("minji", "김민지", "오늘도 한 걸음씩"),
    Person("junho", "이준호", "커피 없이는 못 살아"),
    Person("seoyeon", "박서연", "여행 가고 싶다"),
    Person("dohyun", "최도현", "운동 3일차"),
    Person("haeun", "정하은", "고양이 집사"),
    Person("jiwoo", "강지우", ""),
    Person("yuna", "윤유나", "마감 중… 답이 늦어요"),
    Person("taeyang", "조태양", "등산은 사랑입니다"),
    Person("sumin", "한수민", "책 읽는 중"),
    Person("hyunwoo", "오현우", "퇴근하고 싶다"),
    Person("emma", "Emma Clarke", "Seoul → Lisbon in May"),
    Person("liam", "Liam O'Brien", "on call this week"),
    Person("sofia", "Sofia Marques", ""),
    Person("noah", "Noah Fischer", "please no meetings before ten"),
)

KOREANS = tuple(person.webchat_id for person in PEOPLE[:10])
EVERYONE = tuple(person.webchat_id for person in PEOPLE)

ROOMS = (
    Room(("minji", "junho"), "ko", 320),
    Room(("minji", "seoyeon"), "ko", 180),
    Room(("minji", "haeun"), "ko", 140),
    Room(("minji", "emma"), "en", 160),
    Room(("minji", "yuna"), "ko", 60),
    Room(("junho", "dohyun"), "ko", 160),
    Room(("junho", "hyunwoo"), "ko", 120),
    Room(("junho", "liam"), "en", 140),
    Room(("seoyeon", "jiwoo"), "ko", 80),
    Room(("emma", "sofia"), "en", 80),
    Room(("minji", "junho", "seoyeon", "dohyun", "haeun"), "ko", 520, "대학 동기 모임"),
    Room(("junho", "minji", "taeyang", "hyunwoo"), "ko", 260, "주말 등산"),
    Room(("yuna", "minji", "sumin", "jiwoo"), "ko", 200, "책 읽는 밤"),
    Room(("liam", "emma", "noah", "sofia", "junho", "minji"), "en", 420, "Product team"),
    Room(("noah", "liam", "junho"), "en", 160, "On call"),
    Room(EVERYONE, "en", 260, "Everyone"),
    Room(KOREANS, "ko", 240, "점심 뭐 먹지"),
)
