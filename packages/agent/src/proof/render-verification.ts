import type { Palette } from "../cli/colour.ts";
import type { Verification } from "./verification.ts";

/** One line per object, what it was compared with, and the verdict. `all`: also what others have changed. */
export function renderVerification(verification: Verification, palette: Palette, all: boolean): string {
  const { left, unclaimed, kept, unseen, others, comparedWith, namespaces } = verification;
  const { kernel, files } = comparedWith;
  const since = (taken: { takenAt: string } | undefined) => (taken ? `as of ${taken.takenAt}` : "not known");
  const lines = [
    ...kept.map((what) => `${palette.dim("kept")}      ${what}`),
    ...(all ? others.map((what) => `${palette.dim("others")}    ${what}`) : []),
    ...unseen.map((what) => `${palette.warn("unseen")}    ${what}`),
    ...unclaimed.map((what) => `${palette.warn("unclaimed")} ${what}`),
    ...left.map((what) => `${palette.bad("left")}      ${what}`),
    palette.dim(
      `looked into ${namespaces} network namespaces; before Millrace: kernel ${since(kernel)}${kernel?.late ? " (late)" : ""}, ` +
        `files ${since(files)}; ${others.length} changes by others${all || others.length === 0 ? "" : " (--all lists them)"}`,
    ),
    verdict(verification, palette),
  ];
  return `${lines.join("\n")}\n`;
}

function verdict({ left, unseen }: Verification, palette: Palette): string {
  const advice = "run `millrace uninstall`, or remove by hand what it does not find";
  if (left.length > 0) return palette.bad(`not clean: ${left.length} left; ${advice}`);
  if (unseen.length > 0) return palette.bad("not proven: something could not be looked at");
  return palette.good("clean: nothing of Millrace is left");
}
