"""Deploying to many by the command line: what is printed, what is refused, and the exit status."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowstudio.resources import resource
from flowstudio.stores.secrets import KEY_VARIABLE, new_key
from tests.cli.conftest import Printed, Run

CUSTOMERS = """\
customer,name,crm_url,min_total,connection.crm.token
acme,Acme,https://acme.test/crm,50,env:ACME
beta,Beta,,12,
"""

Deploy = Callable[..., Printed]


@pytest.fixture
def deploy(call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Deploys a customers file in a data directory of its own."""
    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv(KEY_VARIABLE, new_key())
    monkeypatch.setenv("ACME", "the-token")
    template = tmp_path / "sync.template.json"
    example = str(resource("examples", "customer-sync.flow.json"))
    assert call("export", example, "-o", str(template), "--version", "1.0.0").status == 0
    customers = tmp_path / "customers.csv"

    def deployed(text: str = CUSTOMERS, *options: str) -> Printed:
        customers.write_text(text, encoding="utf-8")
        return call("deploy", str(template), "--customers", str(customers), *options)

    return deployed


def test_what_is_done_is_said_and_then_done(call: Run, deploy: Deploy) -> None:
    printed = deploy()
    assert (printed.status, printed.err) == (0, "")
    assert printed.out == (
        "customer-sync 1.0.0: 2 to create, 0 to change, 0 the same, 1 in need of setup\n"
        "  + acme/customer-sync\n"
        "  + beta/customer-sync\n"
        "  ! beta/customer-sync needs crm_url\n"
        "Deployed.\n"
    )
    printed = deploy(CUSTOMERS.replace("50", "60").replace("Beta", "Beta Ltd"))
    assert "values.min_total: 50 → 60\n" in printed.out
    assert "name: Beta → Beta Ltd\n" in printed.out
    listed = call("instances", "--json").json
    assert [(each["instance"], each["status"], each["needs"]) for each in listed] == [
        ("beta/customer-sync", "needs setup", ["crm_url"]),
        ("acme/customer-sync", "active", []),
    ]


def test_a_dry_run_does_nothing(call: Run, deploy: Deploy) -> None:
    printed = deploy(CUSTOMERS, "--dry-run")
    assert printed.status == 0
    assert printed.out.endswith("Nothing was done: --dry-run.\n")
    assert call("instances", "--json").json == []
    assert deploy(CUSTOMERS, "--dry-run", "--json").json["applied"] is False


def test_again_it_changes_nothing(deploy: Deploy) -> None:
    assert deploy(CUSTOMERS, "--json").json["create"] == ["acme/customer-sync", "beta/customer-sync"]
    again = deploy(CUSTOMERS, "--json").json
    assert (again["create"], again["change"], again["same"], again["applied"]) == ([], [], 2, True)


def test_every_faulty_cell_is_named_and_nothing_is_done(
    call: Run, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = deploy("customer,crm_url,min_total\nacme,not an address,many\nBETA,https://b.test,1\n", "--json")
    assert printed.status == 2
    lines = printed.err.splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in lines[:-1]] == [
        "row 2, crm_url",
        "row 2, min_total",
        "row 3, customer",
    ]
    assert lines[-1].startswith("Nothing was deployed: 3 cells to correct in")
    assert [fault["row"] for fault in printed.json["problems"]] == [2, 2, 3]
    assert printed.json["applied"] is False
    monkeypatch.delenv("ACME")
    printed = deploy()
    assert printed.status == 2
    assert "row 2, connection.crm.token: the environment has no ACME, set it where you deploy" in printed.err
    assert call("instances").err == "There are no instances yet. flowstudio deploy makes them.\n"


def test_without_a_key_it_says_how_to_make_one(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "no key")
    printed = deploy()
    assert printed.status == 2
    assert "make a key with" in printed.err


def test_instances_are_paused_resumed_and_removed(call: Run, deploy: Deploy) -> None:
    deploy()
    assert call("pause", "acme/customer-sync", "beta/customer-sync").err == "Paused 2 instances.\n"
    printed = call("pause", "acme/customer-sync")
    assert printed.err == "Paused 0 instances. 1 instance was paused already.\n"
    assert "acme/customer-sync  paused" in call("instances").out
    assert call("resume-instance", "acme/customer-sync").err == "1 instance may run again.\n"
    refused = call("remove", "acme/customer-sync")
    assert (refused.status, refused.err) == (
        2,
        "nothing was removed, nobody is there to be asked, write --yes if it is meant\n",
    )
    assert call("remove", "acme/customer-sync", "--yes").err == "Removed 1 instance.\n"
    assert [each["customer"] for each in call("instances", "--json").json] == ["beta"]


@pytest.mark.parametrize("command", ["pause", "resume-instance", "remove"])
def test_what_names_no_instance_is_refused(call: Run, deploy: Deploy, command: str) -> None:
    yes = ["--yes"] if command == "remove" else []
    printed = call(command, "acme", *yes)
    assert (printed.status, printed.out) == (2, "")
    assert "an instance is CUSTOMER/TEMPLATE" in printed.err
    printed = call(command, "acme/customer-sync", *yes)
    assert printed.status == 2
    assert "there is no instance acme/customer-sync" in printed.err


def test_a_template_that_is_not_there_is_refused(call: Run, deploy: Deploy, tmp_path: Path) -> None:
    deploy()
    printed = call("deploy", "other", "--customers", str(tmp_path / "customers.csv"))
    assert printed.status == 2
    assert "the catalogue, it has customer-sync" in printed.err
    assert call("deploy", "customer-sync", "--customers", str(tmp_path / "customers.csv"), "--json").json["same"] == 2
