import { makeBadge } from "badge-maker";
import type { Report } from "./report.ts";

/** What a badge says, in one line: `millrace conformance: 30/30 behaviours`. */
export const badgeLine = (report: Report): string => `${LABEL}: ${messageOf(report)}`;

const LABEL = "millrace conformance";

/** An SVG picture for a README, by what draws shields.io's: widths of letters are a font's affair. */
export function renderBadge(report: Report): string {
  const color =
    report.failed > 0 || report.passed === 0 ? "red" : report.unclaimed.length > 0 ? "yellow" : "brightgreen";
  return `${makeBadge({ label: LABEL, message: messageOf(report), color })}\n`;
}

const messageOf = ({ headline, failed, unclaimed }: Report): string =>
  [
    headline,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(unclaimed.length > 0 ? [`${unclaimed.length} unclaimed`] : []),
  ].join(", ");
