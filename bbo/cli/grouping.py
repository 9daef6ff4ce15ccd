"""The help page: commands in groups, in the order in which they were added."""

from typing import Any

from typer.core import TyperGroup


class Grouped(TyperGroup):
    """Commands listed under the panels that they were added with."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        widest = max(len(name) for name in self.commands)
        for name, command in self.commands.items():
            panel = str(getattr(command, "rich_help_panel", None) or "Commands")
            said = command.get_short_help_str(limit=formatter.width - widest - 6)
            panels.setdefault(panel, []).append((f"{name:{widest}}", said))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)
