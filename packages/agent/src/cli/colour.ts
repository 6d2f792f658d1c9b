import { styleText } from "node:util";

/** Paints text by meaning, so that commands never name a colour. */
export interface Palette {
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

type Style = Parameters<typeof styleText>[0];

const paint = (style: Style) => (text: string) => styleText(style, text, { validateStream: false });
const plain = (text: string) => text;

const colours: Palette = {
  good: paint("green"),
  warn: paint("yellow"),
  bad: paint("red"),
  dim: paint("dim"),
  bold: paint("bold"),
};
const noColours: Palette = { good: plain, warn: plain, bad: plain, dim: plain, bold: plain };

/**
 * Colours only for a person: on a terminal, and not when NO_COLOR is set to anything (https://no-color.org) or TERM is `dumb`.
 */
export function paletteFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Palette {
  const wanted = stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  return wanted ? colours : noColours;
}
