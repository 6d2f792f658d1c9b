import type { Palette } from "../cli/colour.ts";
import { BAD, GOOD } from "../event-log/event-line.ts";
import type { Moment } from "./moment.ts";

const SEQ_WIDTH = 6;
const KIND_WIDTH = 8;
const SINCE_WIDTH = 10;

/** `+1.204 s`, `+12 ms`; nothing for no time at all. */
function elapsed(ms: number | undefined): string {
  if (ms === undefined || ms === 0) return "";
  const size = Math.abs(ms);
  return `${ms < 0 ? "-" : "+"}${size < 1000 ? `${size} ms` : `${(size / 1000).toFixed(3)} s`}`;
}

/**
 * One line of the timeline for people: `seq time +elapsed kind about type: text`. An intent has no time of its own: it is decided when its
 * input is. `sinceMs`: since the line before. `node`: shown where several logs are told as one.
 */
export function momentLine(moment: Moment, sinceMs: number | undefined, palette: Palette, node?: string): string {
  const { type, kind, about, text } = moment;
  const paint = BAD.has(type) ? palette.bad : GOOD.has(type) ? palette.good : kind === "decided" ? palette.bold : plain;
  const waited = moment.sinceMs === undefined ? "" : `, ${moment.sinceMs} ms after it was asked for`;
  const what = kind === "decided" ? "" : `${type} `;
  return `${[
    ...(node === undefined ? [] : [node]),
    String(moment.seq).padStart(SEQ_WIDTH),
    palette.dim(moment.time),
    palette.dim(elapsed(sinceMs).padStart(SINCE_WIDTH)),
    paint(kind.padEnd(KIND_WIDTH)),
    about,
    `${what}${text}${waited}`,
  ]
    .join(" ")
    .trimEnd()}\n`;
}

function plain(text: string): string {
  return text;
}
