"""What lies under deploy/ fits the server: metrics, dashboard, alerts, units."""
import json
import pathlib
import re
import secrets
import shutil
import subprocess
import tempfile
import time
import unittest

from case import ServerCase
from server import ROOT, SONNIM, remove_directory, temporary_directory

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "sonnim.rules.yml"
NAME = re.compile(r"\b(?:sonnim|process)_[a-z0-9_]+")
SAMPLE = re.compile(r"^([a-z_][a-z0-9_]*)(\{([a-z_]+=\"(?:[^\"\\\n]|\\.)*\",?)*\})? "
                    r"(-?[0-9.]+(?:e[+-]?[0-9]+)?|\+Inf|NaN)$")
UNITS = {"milliseconds", "microseconds", "nanoseconds", "minutes", "hours", "days", "kilobytes",
         "megabytes", "kib", "mib", "gib", "percent", "ms", "us", "ns"}


def alerts():
    return re.findall(r"^ *- alert: (\w+)$", RULES.read_text(), re.MULTILINE)


class Metrics(ServerCase):
    clock = "wall"

    @classmethod
    def setUpClass(cls):
        place = temporary_directory()
        cls.addClassCleanup(remove_directory, place)
        key = place / "key"
        key.write_text(secrets.token_hex(32))
        key.chmod(0o600)
        cls.flags = ("--partitions", "2", "--checkpoint-interval", "20ms", "--backup-directory",
                     str(place / "backups"), "--backup-key-file", str(key),
                     "--backup-archive-interval", "1s")
        super().setUpClass()

    def metrics(self):
        """With everything that shows only once there is some of it."""
        self.track("somebody")
        self.client.expect(200, "PUT", "/api/v1/consumers/watcher", {"cursor": None})
        self.client.request("GET", "/api/v1/segments/nowhere")
        self.client.expect(200, "POST", "/api/v1/backups")
        late = {"sonnim_checkpoint_age_seconds ", "sonnim_archive_lag_seconds ",
                "sonnim_backup_age_seconds "}
        deadline = time.monotonic() + 300
        while True:
            text = self.client.expect(200, "GET", "/metrics").body.decode()
            if all(name in text for name in late):
                return text
            for number in range(20):  # events for each partition
                self.track(f"somebody-{number}")
            self.assertLess(time.monotonic(), deadline, [name for name in late if name not in text])

    def test_metrics_are_well_formed_and_named_by_convention(self):
        kinds, samples, helped = {}, [], set()
        for line in self.metrics().splitlines():
            if line.startswith("# HELP "):
                name, text = line[7:].split(" ", 1)
                self.assertNotIn(name, helped, "its samples must stand together")
                self.assertTrue(text)
                helped.add(name)
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                self.assertNotIn(name, kinds)
                kinds[name] = kind
            else:
                match = SAMPLE.match(line)
                self.assertIsNotNone(match, line)
                samples.append((match.group(1), match.group(2) or ""))
        self.assertEqual(len(samples), len(set(samples)), "a sample twice")
        self.assertEqual(helped, set(kinds))
        for name, kind in kinds.items():
            with self.subTest(name):
                self.assertIn(kind, ("counter", "gauge", "histogram"))
                self.assertEqual(name.endswith("_total"), kind == "counter")
                self.assertFalse(set(name.split("_")) & UNITS, "use seconds, bytes, ratios")
                self.assertTrue(name.startswith(("sonnim_", "process_")))
        for name, _labels in samples:
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            self.assertTrue(name in kinds or kinds.get(base) == "histogram", name)

    def test_promtool_finds_nothing(self):
        if not shutil.which("promtool"):
            self.skipTest("there is no promtool")
        done = subprocess.run(["promtool", "check", "metrics"], input=self.metrics(), text=True,
                              capture_output=True, timeout=300)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_what_dashboard_and_alerts_ask_for_is_there(self):
        there = set(re.findall(r"^([a-z_0-9]+)[ {]", self.metrics(), re.MULTILINE))
        dashboard = json.loads((DEPLOY / "grafana" / "sonnim.json").read_text())
        expressions = [target["expr"] for panel in dashboard["panels"]
                       for target in panel.get("targets", ())]
        self.assertGreater(len(expressions), 30)
        for text in (*expressions, dashboard["templating"]["list"][1]["query"]["query"],
                     RULES.read_text()):
            for name in NAME.findall(text):
                self.assertIn(name, there, text[:200])


class Documents(unittest.TestCase):
    def test_every_alert_is_explained_and_nothing_else_is(self):
        text = (ROOT / "docs" / "operations.md").read_text()
        section = text.split("\n## Alerts\n")[1].split("\n## ")[0]
        explained = re.findall(r"^### (\w+)\n\*(\w+)\.\* (.+) \*\*Do:\*\* .+$", section,
                               re.MULTILINE)
        self.assertEqual(sorted(name for name, _, _ in explained), sorted(alerts()))
        severities = dict(re.findall(r"- alert: (\w+)\n(?:.*\n)*?.*severity: (\w+)",
                                     RULES.read_text()))
        for name, severity, _ in explained:
            self.assertEqual(severity.lower(), severities[name], name)
        for name in alerts():
            self.assertIn(f"docs/operations.md#{name.lower()}\n", RULES.read_text())

    def test_links_within_the_page_lead_somewhere(self):
        text = (ROOT / "docs" / "operations.md").read_text()
        anchors = {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
                   for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        for anchor in re.findall(r"\]\(#([^)]+)\)", text):
            self.assertIn(anchor, anchors)

    def test_promtool_takes_the_rules(self):
        if not shutil.which("promtool"):
            self.skipTest("there is no promtool")
        done = subprocess.run(["promtool", "check", "rules", str(RULES)], text=True,
                              capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Units(unittest.TestCase):
    def setUp(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        self.directory = tempfile.TemporaryDirectory(prefix="sonnim-test-")
        self.addCleanup(self.directory.cleanup)
        place = pathlib.Path(self.directory.name)
        for unit in (DEPLOY / "systemd").glob("sonnim.s[eo]*"):
            (place / unit.name).write_text(unit.read_text().replace("/usr/bin/sonnim", SONNIM))
        self.service = str(place / "sonnim.service")
        self.units = [self.service, str(place / "sonnim.socket")]

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments], text=True, capture_output=True,
                              timeout=300)

    def test_systemd_takes_the_units(self):
        done = self.analyze("verify", "--man=no", *self.units)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "sonnim" in line]
        self.assertEqual((done.returncode, ours), (0, []))

    def test_the_service_may_do_little_else_than_serve(self):
        done = self.analyze("security", "--offline=true", "--no-pager", "--threshold=20",
                            self.service)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)

    def test_the_settings_that_are_installed_are_good(self):
        done = subprocess.run([SONNIM, "doctor", "--config", str(DEPLOY / "sonnim.conf"), "--json"],
                              text=True, capture_output=True, timeout=300)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([item["state"] for item in found if item["check"] == "config"], ["ok"])


if __name__ == "__main__":
    unittest.main()
