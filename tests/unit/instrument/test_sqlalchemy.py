"""SQLAlchemy engines that record, on SQLite."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from perf.clock import SystemClock
from perf.instrument import dbapi
from perf.instrument.sqlalchemy import instrument, uninstrument
from perf.record import Recorder
from perf.record.timers import recorded
from tests.unit.instrument.recorded import Recorded


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SystemClock())


@pytest.fixture
def engine(recorder: Recorder) -> Engine:
    made = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(made)
    instrument(made, recorder)
    return made


def test_statements_of_the_orm_are_told(engine: Engine, recorder: Recorder) -> None:
    with Session(engine) as session:
        session.add_all([Order(name="a"), Order(name="b")])
        session.commit()
        assert session.query(Order).count() == 2
    found = Recorded(recorder)
    assert found.calls() == {"INSERT orders": 2, "SELECT orders": 1}  # SQLAlchemy inserts one by one on SQLite
    assert found.labels()[0]["db_system"] == "sqlite"
    engine.dispose()


def test_failures_are_counted_and_pass_through(engine: Engine, recorder: Recorder) -> None:
    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("SELECT * FROM absent"))
    found = Recorded(recorder)
    assert found.counted("db_client_errors_total", "error_type") == {"SQLITE_ERROR": 1}
    assert found.calls() == {"SELECT absent": 1}
    engine.dispose()


def test_rows_that_changed_are_counted(engine: Engine, recorder: Recorder) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (name) VALUES (:name)"), [{"name": "a"}, {"name": "b"}])
    assert Recorded(recorder).counted("db_client_rows_total", "db_query_summary") == {"INSERT orders": 2}
    engine.dispose()


def test_twice_is_once_and_can_be_undone(engine: Engine, recorder: Recorder) -> None:
    instrument(engine, recorder)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        assert Recorded(recorder).calls() == {"SELECT": 1}
        uninstrument(engine)
        uninstrument(engine)
        connection.execute(text("SELECT 1"))
        assert Recorded(recorder).calls() == {}
    engine.dispose()


def test_a_recorded_connection_below_counts_once(recorder: Recorder) -> None:
    engine = create_engine("sqlite://", creator=lambda: dbapi.instrument(sqlite3.connect(":memory:"), recorder))
    instrument(engine, recorder)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 5")).scalar() == 5
        assert Recorded(recorder).calls()["SELECT"] == 1
    engine.dispose()


def test_statements_nest_in_what_is_recorded_around_them(engine: Engine, recorder: Recorder) -> None:
    with engine.connect() as connection:
        recorded(lambda: connection.execute(text("SELECT 1")), recorder, name="load")()
    assert ("load", "SELECT", "database") in Recorded(recorder).edges()
    engine.dispose()
