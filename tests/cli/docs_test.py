"""The pages that are made from the code are the pages in docs/."""

import pathlib
import unittest

from binary import SOURCE, run


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


if __name__ == "__main__":
    unittest.main()
