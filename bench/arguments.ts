import { VARIANTS, type Variant } from "./variants.ts";

/** `--name 30` as a whole number from 1 up. */
export function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new RangeError(`--${name} ${text} is no whole number from 1 up`);
  return number;
}

/** `--only ebpf-tcx,…`; without it, all. */
export function chosenVariants(only: string | undefined): readonly Variant[] {
  if (only === undefined) return VARIANTS;
  return only.split(",").map((name) => {
    const variant = VARIANTS.find((candidate) => candidate.name === name);
    if (variant !== undefined) return variant;
    throw new RangeError(`--only ${name} is no variant; there are ${VARIANTS.map(({ name }) => name).join(", ")}`);
  });
}
