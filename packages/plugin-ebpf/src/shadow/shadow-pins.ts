import type { EbpfConfig } from "../config.ts";
import { Pins } from "../pins.ts";

/** Where a shadow has its pins: beside those of the redirection, laid out alike, and nobody else's. */
export const shadowPins = (bpffs: string, { pins }: Pick<EbpfConfig, "pins">): Pins =>
  new Pins(bpffs, `${pins}-shadow`);

/** How a shadow attaches. Its filters are told from those of the redirection by their handle, and share the priority: the newest runs first. */
export function shadowConfig(config: EbpfConfig): EbpfConfig {
  const { handle } = config.clsact;
  return { ...config, clsact: { ...config.clsact, handle: handle === MAX_HANDLE ? handle - 1 : handle + 1 } };
}

const MAX_HANDLE = 0xffff_ffff;
