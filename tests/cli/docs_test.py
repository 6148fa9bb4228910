"""The pages that are made from the code are the pages in docs/."""

import pathlib
import re
import unittest

from binary import SOURCE, run

METHODS = "GET|POST|PUT|PATCH|DELETE"


def page(name):
    return (pathlib.Path(SOURCE) / "docs" / name).read_text()


class GeneratedPages(unittest.TestCase):
    def compare(self, page):
        printed = run("docs", page)
        self.assertEqual(printed.returncode, 0, printed.stderr)
        kept = (pathlib.Path(SOURCE) / "docs" / f"{page}.md").read_text()
        self.assertEqual(printed.stdout, kept, f"renew it: build/dev/belfry docs {page} > docs/{page}.md")

    def test_configuration_page_is_what_the_keys_say(self):
        self.compare("configuration")

    def test_errors_page_is_what_the_error_table_says(self):
        self.compare("errors")

    def test_metrics_page_is_what_the_metrics_say(self):
        self.compare("metrics")


class WrittenPages(unittest.TestCase):
    def section(self, text, title):
        found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        self.assertIsNotNone(found, title)
        return found.group(1)

    def test_protocol_page_has_every_route_and_no_other(self):
        printed = run("docs", "routes")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        served = {line for line in printed.stdout.splitlines() if " /api/" in line}
        told = set()
        for title, prefix in (("Mobile routes", "/api/mobile"), ("Admin routes", "/api/admin")):
            rows = [line for line in self.section(page("protocol.md"), title).splitlines() if line.startswith("| `")]
            for method, path in re.findall(rf"`({METHODS}) (/[^`?]*)[^`]*`", "\n".join(row.split(" | ")[0] for row in rows)):
                told.add(f"{method} {prefix}{path}")
        self.assertEqual(told, served, "the tables of docs/protocol.md and the routes differ")

    def test_operations_page_has_every_event_of_the_log(self):
        events = set()
        for file in (pathlib.Path(SOURCE) / "src").rglob("*.cpp"):
            text = file.read_text()
            events |= set(re.findall(r'telemetry::(?:debug|info|warn|error)\(\s*"(\w+)"', text))
            events |= set(re.findall(r'telemetry::log\(\w+,\s*"(\w+)"', text))
        self.assertGreater(len(events), 30)
        told = set(re.findall(r"`(\w+)`", self.section(page("operations.md"), "Logs")))
        self.assertEqual(events - told, set(), "tell in docs/operations.md, Logs, what it means and what to do")

    def test_pages_link_to_what_is_there(self):
        for folder, name in (("docs", None), (".", "README.md")):
            root = pathlib.Path(SOURCE) / folder
            for file in [root / name] if name else sorted(root.rglob("*.md")):
                for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", file.read_text()):
                    if "://" not in target:
                        self.assertTrue((file.parent / target).exists(), f"{file.name}: {target}")


if __name__ == "__main__":
    unittest.main()
