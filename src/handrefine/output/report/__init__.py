"""A run as one HTML page that needs no other file, no network and no program."""

from handrefine.output.report.page import REPORT_FILE, write_report

__all__ = ["REPORT_FILE", "write_report"]
