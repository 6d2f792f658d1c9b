import type { InstallState } from "@millrace/cni-install";
import type { Palette } from "../cli/colour.ts";

/** One line for how things are, and one for each warning. */
export function renderInstall({ state, detail, warnings }: InstallState, palette: Palette): string {
  const paint = state === "installed" ? palette.good : state === "waiting" ? palette.warn : palette.bad;
  const lines = [
    `${paint(state)}: ${detail}`,
    ...warnings.map(({ message }) => `${palette.warn("warning")} ${message}`),
  ];
  return `${lines.join("\n")}\n`;
}
