import type { Palette } from "../cli/colour.ts";
import { renderVerification } from "../proof/render-verification.ts";
import type { Removal } from "./removal.ts";

/** One line per object, and the verdict. */
export function renderRemoval({ removed, left, kept, unseen, verification }: Removal, palette: Palette): string {
  const lines = [
    ...removed.map((what) => `${palette.good("removed")} ${what}`),
    ...kept.map((what) => `${palette.dim("kept")}    ${what}`),
    ...unseen.map((what) => `${palette.dim("unseen")}  ${what}`),
    ...left.map((what) => `${palette.bad("left")}    ${what}`),
  ];
  if (left.length > 0) lines.push(palette.bad("something is left: see above, then run it again"));
  else lines.push(removed.length === 0 ? "nothing of Millrace was here" : "nothing of Millrace is left");
  const proof = verification === undefined ? "" : renderVerification(verification, palette, false);
  return `${lines.join("\n")}\n${proof}`;
}
